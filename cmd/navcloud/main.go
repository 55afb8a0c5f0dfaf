// Command navcloud is the NavCloud reference API, and the swarm of clients that tries it out.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/navcloud/binnacle/cmd/navcloud/api"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := api.Main(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "navcloud:", err)
		os.Exit(1)
	}
}
