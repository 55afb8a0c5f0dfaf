// Command kumo runs the AWS emulator of that name for tests: SQS, SNS, EventBridge, CloudWatch's alarms and CloudFormation by
// somebody who never read our code. It listens on KUMO_HOST and KUMO_PORT, where its own parts find each other too, and ends with
// its standard input. It is built with -modfile=.ci/dev.mod: nothing of it is in go.mod.
package main

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"

	"github.com/sivchari/kumo"
)

func main() {
	srv := kumo.NewServer()
	defer srv.Close()
	to, err := url.Parse(srv.URL)
	if err != nil {
		log.Fatal(err)
	}
	front := &http.Server{
		Addr:              net.JoinHostPort(os.Getenv("KUMO_HOST"), os.Getenv("KUMO_PORT")),
		Handler:           &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to); r.Out.Host = r.In.Host }},
		ReadHeaderTimeout: 10 * time.Second,
	}
	go func() { log.Fatal(front.ListenAndServe()) }()
	_, _ = io.Copy(io.Discard, os.Stdin)
}
