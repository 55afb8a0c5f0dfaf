package services

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/metric"
)

// TestServersThatAreSeenTogetherAreKept: eight servers of one system answer at once for the first time.
func TestServersThatAreSeenTogetherAreKept(t *testing.T) {
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "Active connections: 1 \nserver accepts handled requests\n 10 10 20 \nReading: 0 Writing: 1 Waiting: 0 \n")
	}))
	defer h.Close()
	var servers Servers
	for i := range 8 {
		servers = append(servers, Server{Name: fmt.Sprint("s", i), URL: h.URL})
	}
	c := made(t, Nginx, servers).(*collector)
	if err := c.Collect(context.Background(), &metric.Batch{Time: time.Now()}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(c.seenFile())
	if got := strings.Fields(string(text)); err != nil || len(got) != 8 || !slices.Contains(got, "s7") {
		t.Errorf("kept: %q, %v", got, err)
	}
}
