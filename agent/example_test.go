package agent_test

import (
	"context"
	"fmt"
	"os"

	"github.com/navcloud/binnacle/agent"
)

// The agent runs inside a service's own process as it does in its own: it ends with the context, and what
// it still holds is delivered before Run returns.
func ExampleRun() {
	data, err := os.MkdirTemp("", "example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(data)
	cfg, err := agent.ParseConfig("embedded.yaml", []byte("listen: 127.0.0.1:0\ncollect: {statsd: off}\nrules: {packs: [host]}\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg.Data = data

	ctx, cancel := context.WithCancel(context.Background())
	err = agent.Run(ctx, cfg, agent.Hooks{Ready: func(string) {
		fmt.Println("the service serves, watched")
		cancel() // the service ends
	}})
	fmt.Println("ended with", err)
	// Output:
	// the service serves, watched
	// ended with <nil>
}
