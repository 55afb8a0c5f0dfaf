//go:build kumo

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
