// go_server ADDRESS: net/http with the answers of kinds.py; one JSON line a request on standard
// output, after its answer.
package main

import (
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
)

var answerBytes = []int{612, 1, 17, 100, 0, 1460, 3000, 5000, 20000, 65536}

type entry struct {
	Method string `json:"method"`
	Target string `json:"target"`
	Status int    `json:"status"`
	Client string `json:"client"`
}

// recorder keeps the final status.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if status >= 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) flush() {
	r.ResponseWriter.(http.Flusher).Flush()
}

func (r *recorder) length(body []byte) {
	r.Header().Set("Content-Length", strconv.Itoa(len(body)))
	r.WriteHeader(http.StatusOK)
	r.Write(body)
}

// chunked writes two pieces; the flush between them makes net/http choose the chunked coding.
func (r *recorder) chunked(body []byte) {
	r.WriteHeader(http.StatusOK)
	r.flush()
	r.Write(body[:len(body)/2])
	r.flush()
	r.Write(body[len(body)/2:])
}

func answer(r *recorder, request *http.Request) {
	parts := strings.Split(request.URL.Path, "/")
	if len(parts) != 3 || parts[2] == "" {
		r.WriteHeader(http.StatusNotFound)
		return
	}
	id := parts[2]
	body := []byte(strings.Repeat("x", answerBytes[int(id[len(id)-1]-'0')]))
	r.Header().Set("X-Request-Id", id)
	r.Header().Set("Content-Type", "application/octet-stream")
	switch parts[1] {
	case "length":
		r.length(body)
	case "chunked":
		r.chunked(body)
	case "trailer":
		r.Header().Set("Trailer", "X-Sum")
		r.chunked(body)
		r.Header().Set("X-Sum", "120")
	case "echo":
		io.Copy(io.Discard, request.Body)
		r.length(body)
	case "store":
		io.Copy(io.Discard, request.Body)
		r.WriteHeader(http.StatusNoContent)
	case "nothing":
		r.WriteHeader(http.StatusNoContent)
	case "unchanged":
		r.WriteHeader(http.StatusNotModified)
	case "close":
		r.Header().Set("Connection", "close")
		r.length(body)
	case "hints":
		r.Header().Set("Link", "</style.css>; rel=preload")
		r.WriteHeader(http.StatusEarlyHints)
		r.length(body)
	case "refuse":
		http.Error(r, "no", http.StatusForbidden)
	case "fail":
		http.Error(r, "failed", http.StatusInternalServerError)
	default:
		http.Error(r, "missing", http.StatusNotFound)
	}
}

func main() {
	var lock sync.Mutex
	output := json.NewEncoder(os.Stdout)
	handler := func(writer http.ResponseWriter, request *http.Request) {
		r := &recorder{ResponseWriter: writer, status: http.StatusOK}
		answer(r, request)
		client, _, _ := net.SplitHostPort(request.RemoteAddr)
		lock.Lock()
		defer lock.Unlock()
		output.Encode(entry{request.Method, request.RequestURI, r.status, client})
	}
	log.Fatal(http.ListenAndServe(os.Args[1], http.HandlerFunc(handler)))
}
