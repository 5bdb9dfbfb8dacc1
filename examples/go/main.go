// Answers every request with one line of JSON until SIGTERM.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"example.org/service/answer"
)

// version is set when the program is linked.
var version = "unknown"

func main() {
	port := "8080"
	if len(os.Args) > 1 {
		port = os.Args[1]
	}
	server := &http.Server{Addr: ":" + port, Handler: answer.New(version)}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	go func() {
		<-stop.Done()
		_ = server.Shutdown(context.Background())
	}()
	fmt.Println("listening on", port)
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
}
