package main

import (
	"bytes"
	"encoding/json"
	"log"
	"os"
	"path/filepath"
	"sync"
)

// One request, at the side that wrote the line.
type entry struct {
	Side    string `json:"side"`    // "server" or "client"
	Service string `json:"service"` // who was asked; of the client's side its address
	Method  string `json:"method"`
	Route   string `json:"route"`
	Path    string `json:"path"`
	Status  int    `json:"status"`         // 0: no response came
	Peer    string `json:"peer,omitempty"` // of the server's side: who asked
	Error   string `json:"error,omitempty"`
	Retried bool   `json:"retried,omitempty"` // closed on by the server, and sent again
}

type accessLog struct {
	lock sync.Mutex
	file *os.File
}

func openLog() *accessLog {
	name := filepath.Join(os.Getenv("LOG_DIR"), os.Getenv("NAME")+"."+os.Getenv("POD")+".log")
	file, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		log.Fatal(err)
	}
	return &accessLog{file: file}
}

func (l *accessLog) write(e entry) {
	var line bytes.Buffer
	if err := json.NewEncoder(&line).Encode(e); err != nil {
		log.Fatal(err)
	}
	l.lock.Lock()
	defer l.lock.Unlock()
	if _, err := l.file.Write(line.Bytes()); err != nil {
		log.Fatal(err)
	}
}
