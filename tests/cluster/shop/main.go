// A shop in one program: the services, who buys there, and the pause container of their pods.
//
//	shop serve   the service NAME on port 8080
//	shop load    customers of it: REQUESTS of them, or as many as come until SIGTERM
//	shop pause   nothing, until it is told to end
//
// Whatever is served or asked for is a line of JSON in LOG_DIR/NAME.POD.log.
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: shop serve|load|pause")
	}
	ended, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	switch os.Args[1] {
	case "serve":
		serve(ended)
	case "load":
		load(ended)
	case "pause":
		<-ended.Done()
	default:
		log.Fatalf("no such command: %s", os.Args[1])
	}
}
