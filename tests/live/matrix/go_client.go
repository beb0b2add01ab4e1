// go_client ADDRESS PLAN.json: asks with net/http what the plan says; ends with 1 unless every
// answer is the one that belongs to its request.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const connections = 3

type planned struct {
	ID          string            `json:"id"`
	Method      string            `json:"method"`
	Target      string            `json:"target"`
	Status      int               `json:"status"`
	Fields      map[string]string `json:"fields"`
	Body        string            `json:"body"`
	UploadBytes int               `json:"upload_bytes"`
	AnswerBytes *int              `json:"answer_bytes"`
	Expect      bool              `json:"expect"`
	Close       bool              `json:"close"`
	Interim     []int             `json:"interim"`
}

// unsized hides a reader's length, so that net/http chooses the chunked coding.
type unsized struct{ io.Reader }

func (p *planned) body() io.Reader {
	text := strings.NewReader(strings.Repeat("u", p.UploadBytes))
	switch p.Body {
	case "length":
		return text
	case "chunked":
		return unsized{text}
	}
	return nil
}

func (p *planned) request(address string, interim *[]int) (*http.Request, error) {
	request, err := http.NewRequest(p.Method, "http://"+address+p.Target, p.body())
	if err != nil {
		return nil, err
	}
	for name, value := range p.Fields {
		request.Header.Set(name, value)
	}
	if p.Expect {
		request.Header.Set("Expect", "100-continue")
	}
	request.Close = p.Close
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
		*interim = append(*interim, code)
		return nil
	}}
	return request.WithContext(httptrace.WithClientTrace(request.Context(), trace)), nil
}

func (p *planned) ask(transport *http.Transport, address string) error {
	interim := []int{}
	request, err := p.request(address, &interim)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	switch {
	case response.StatusCode != p.Status:
		return fmt.Errorf("status %d", response.StatusCode)
	case response.Header.Get("X-Request-Id") != p.ID:
		return fmt.Errorf("the answer of %q", response.Header.Get("X-Request-Id"))
	case p.AnswerBytes != nil && len(body) != *p.AnswerBytes:
		return fmt.Errorf("%d bytes", len(body))
	case !reflect.DeepEqual(interim, p.Interim):
		return fmt.Errorf("interim answers %v", interim)
	}
	return nil
}

func main() {
	text, err := os.ReadFile(os.Args[2])
	var plan []*planned
	if err == nil {
		err = json.Unmarshal(text, &plan)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: connections,
		ExpectContinueTimeout: 10 * time.Second}
	waiting := make(chan *planned)
	var failures int32
	var workers sync.WaitGroup
	for i := 0; i < connections; i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for p := range waiting {
				if err := p.ask(transport, os.Args[1]); err != nil {
					atomic.AddInt32(&failures, 1)
					fmt.Fprintln(os.Stderr, p.Method, p.Target, err)
				}
			}
		}()
	}
	for _, p := range plan {
		waiting <- p
	}
	close(waiting)
	workers.Wait()
	if failures > 0 {
		os.Exit(1)
	}
}
