package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
	"time"
)

// Asks services and logs each request that went out. Go sends a request again, over another
// connection, where the server closed the first one just then: that is one more on the wire.
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
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(`{"quantity": 1}`)
	}
	sent := 0
	traced := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			if info.Err == nil {
				sent++
			}
		}})
	request, err := http.NewRequestWithContext(traced, method, "http://"+address(service)+path, body)
	if err == nil {
		e.Status, err = c.do(request)
	}
	for ; sent > 1; sent-- {
		again := e
		again.Status, again.Retried = 0, true
		c.log.write(again)
	}
	if err != nil {
		e.Error = err.Error()
	}
	c.log.write(e)
	return e.Status
}

func (c *client) do(request *http.Request) (int, error) {
	response, err := c.http.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, err
}
