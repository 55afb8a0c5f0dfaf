package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent"
	"github.com/navcloud/binnacle/cmd/binnacle/setup"
)

// overrides are the flags that rule over the file.
type overrides struct {
	config, listen, data, topology string
	bare                           bool // without --config it is all defaults, whatever a package installed
}

func (o *overrides) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	without := setup.DefaultConfig + " where that can be read, else all defaults"
	if o.bare {
		without = "none, all defaults"
	}
	f.StringVar(&o.config, "config", "", "YAML file; conf.d/*.yaml beside it is read too (default: "+without+")")
	f.StringVar(&o.listen, "listen", "", "host:port of API and pages, over the file's")
	f.StringVar(&o.data, "data", "", "data folder, over the file's")
	f.StringVar(&o.topology, "topology", "", "topology file, over the file's")
}

// load reads the configuration and puts the flags over it.
func (o *overrides) load() (agent.Config, error) {
	if o.config == "" && !o.bare {
		o.config = existing(setup.DefaultConfig)
	}
	cfg, err := agent.LoadConfig(o.config)
	if o.listen != "" {
		cfg.Listen = o.listen
	}
	if o.data != "" {
		cfg.Data = o.data
	}
	if o.topology != "" {
		cfg.Route.Topology = o.topology
	}
	if err != nil {
		return cfg, err
	}
	return cfg, cfg.Validate()
}

// gcPercent is for a heap that is small beside what it costs the machine to hold it twice: 4 MB less resident when idle,
// measured on 26 November 2026 (BENCHMARKS.md), at the same share of a core. GOGC rules over it.
const gcPercent = 50

func newRun() *cobra.Command {
	o := overrides{bare: true}
	cmd := &cobra.Command{
		Use: "run", Short: "Run the agent; SIGHUP reloads, SIGTERM drains and ends, a second one ends at once", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := o.load()
			if err != nil {
				return err
			}
			if os.Getenv("GOGC") == "" {
				debug.SetGCPercent(gcPercent)
			}
			level := new(slog.LevelVar)
			setLevel(level, cfg.Log)
			log, ready := newLogAt(cfg.Log, level), make(chan struct{})
			a, err := agent.New(cfg, agent.Hooks{
				Version: buildVersion(), Log: log, Pages: cmd.OutOrStdout(),
				Ready:   func(string) { tellSystemd(log, "READY=1"); close(ready) },
				Applied: func(c agent.Config) { setLevel(level, c.Log) },
			})
			if err != nil {
				return err
			}
			ctx, cancel := context.WithCancel(cmd.Context())
			defer cancel()
			context.AfterFunc(ctx, func() { tellSystemd(log, "STOPPING=1") })
			go func() {
				starting(ctx, log, ready)
				if ctx.Err() == nil {
					watched(ctx, log, a)
				}
			}()
			go reloadOnHangup(ctx, a, &o, log)
			return a.Run(ctx)
		},
	}
	o.flags(cmd)
	return cmd
}

// reloadOnHangup reads the configuration again at each SIGHUP; a bad one keeps the old one running.
func reloadOnHangup(ctx context.Context, a *agent.Agent, o *overrides, log *slog.Logger) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			reloading(log)
			cfg, err := o.load()
			_ = a.Reload(ctx, cfg, err) // the agent logs it and tells it in its status
			tellSystemd(log, "READY=1", "STATUS="+headline(a))
		}
	}
}
