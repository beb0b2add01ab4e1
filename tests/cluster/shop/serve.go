package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// What a service answers at a route: with its own status, after it asked others.
type route struct {
	method, pattern string
	calls           []call
	status          int
}

type call struct{ service, method, route string }

// Identifiers are told by the last segment of the path that is a number.
var services = map[string][]route{
	"front": {
		{"GET", "/products/{id}", []call{{"catalogue-api", "GET", "/items/{id}"}}, 200},
		{"GET", "/basket/{id}", []call{{"cart-api", "GET", "/carts/{id}"},
			{"catalogue-api", "GET", "/items/{id}"}}, 200},
		{"POST", "/orders", []call{{"cart-api", "DELETE", "/carts/{id}"},
			{"payment-api", "POST", "/payments"}}, 201},
	},
	"catalogue": {{"GET", "/items/{id}", nil, 200}},
	"cart":      {{"GET", "/carts/{id}", nil, 200}, {"DELETE", "/carts/{id}", nil, 204}},
	"payment":   {{"POST", "/payments", nil, 201}},
}

type service struct {
	name   string
	log    *accessLog
	client *client
}

type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func serve(ended context.Context) {
	l := openLog()
	s := &service{name: os.Getenv("NAME"), log: l, client: newClient(l)}
	server := &http.Server{Addr: ":8080", Handler: s}
	go func() {
		if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			log.Fatal(err)
		}
	}()
	<-ended.Done()
	// Long enough for everybody to have heard that this pod is going.
	time.Sleep(3 * time.Second)
	quiet, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(quiet); err != nil {
		log.Print(err)
	}
}

func (s *service) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	if request.URL.Path == "/ready" {
		return
	}
	w := &recorder{writer, http.StatusOK}
	template := s.answer(w, request)
	peer, _, _ := net.SplitHostPort(request.RemoteAddr)
	s.log.write(entry{Side: "server", Service: s.name, Method: request.Method, Route: template,
		Path: request.URL.Path, Status: w.status, Peer: peer})
}

// Answers, and returns the route. One product in ten is not there, one payment in ten fails.
func (s *service) answer(w http.ResponseWriter, request *http.Request) string {
	template, id := split(request.URL.Path)
	for _, r := range services[s.name] {
		if r.method == request.Method && r.pattern == template {
			s.answerRoute(w, r, id)
			return template
		}
	}
	w.WriteHeader(http.StatusNotFound)
	return template
}

func (s *service) answerRoute(w http.ResponseWriter, r route, id string) {
	status := r.status
	for _, c := range r.calls {
		path := strings.Replace(c.route, "{id}", "1"+id, 1)
		if got := s.client.ask(c.service, c.method, c.route, path); got >= 400 || got == 0 {
			status = max(got, 404)
		}
	}
	if len(r.calls) == 0 && strings.HasSuffix(id, "7") {
		status = http.StatusNotFound
	}
	if s.name == "payment" && time.Now().UnixNano()%10 == 0 {
		status = http.StatusInternalServerError
	}
	w.WriteHeader(status)
	if status != http.StatusNoContent {
		fmt.Fprintf(w, "%s %s\n", s.name, id)
	}
}

func split(path string) (string, string) {
	start := strings.LastIndex(path, "/") + 1
	id := path[start:]
	if id == "" || strings.Trim(id, "0123456789") != "" {
		return path, ""
	}
	return path[:start] + "{id}", id
}
