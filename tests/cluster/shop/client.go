package main

import (
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// Asks services and logs each attempt. A request that fails is not tried again behind our back:
// Go repeats what may be repeated on another connection, so bodies cannot be read twice here.
type client struct {
	http *http.Client
	log  *accessLog
}

func newClient(l *accessLog) *client {
	transport := &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}
	return &client{http: &http.Client{Transport: transport, Timeout: 30 * time.Second}, log: l}
}

// Where a service is, by the environment that Kubernetes gives each container.
func address(service string) string {
	name := strings.ToUpper(strings.ReplaceAll(service, "-", "_"))
	return os.Getenv(name+"_SERVICE_HOST") + ":" + os.Getenv(name+"_SERVICE_PORT")
}

// The status, or 0 where none came.
func (c *client) ask(service, method, route, path string) int {
	e := entry{Side: "client", Service: service, Method: method, Route: route, Path: path}
	defer func() { c.log.write(e) }()
	var body io.Reader
	if method == http.MethodPost {
		// Not a type that net/http knows how to read again.
		body = io.MultiReader(strings.NewReader(`{"quantity": 1}`))
	}
	request, err := http.NewRequest(method, "http://"+address(service)+path, body)
	if err != nil {
		e.Error = err.Error()
		return 0
	}
	response, err := c.http.Do(request)
	if err != nil {
		e.Error = err.Error()
		return 0
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	if err != nil {
		e.Error = err.Error()
	}
	e.Status = response.StatusCode
	return e.Status
}
