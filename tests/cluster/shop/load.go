package main

import (
	"context"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const customers = 4

// What customers do, one after the other; the third asks for a page that is not there.
var visits = []struct{ method, route string }{
	{"GET", "/products/{id}"}, {"GET", "/basket/{id}"}, {"GET", "/sale"}, {"POST", "/orders"},
	{"GET", "/products/{id}"},
}

// REQUESTS in all, PAUSE between two of a customer's. Without REQUESTS there is no end to them.
func load(ended context.Context) {
	wanted, _ := strconv.Atoi(os.Getenv("REQUESTS"))
	pause, _ := time.ParseDuration(os.Getenv("PAUSE"))
	c := newClient(openLog())
	var all sync.WaitGroup
	for customer := range customers {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := customer; (wanted == 0 || i < wanted) && ended.Err() == nil; i += customers {
				visit := visits[i%len(visits)]
				id := strconv.Itoa(100 + i%100)
				c.ask("front-web", visit.method, visit.route,
					strings.Replace(visit.route, "{id}", id, 1))
				time.Sleep(pause)
			}
		}()
	}
	all.Wait()
}
