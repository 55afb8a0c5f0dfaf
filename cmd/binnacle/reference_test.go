package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/navcloud/binnacle/collectors/catalogue"
)

var update = flag.Bool("update", false, "write docs/commands.md and docs/metrics.md anew")

// The pages of commands and metrics are what the program says of itself.
func TestReferencePages(t *testing.T) {
	for file, want := range map[string][]byte{"../../docs/commands.md": commandsPage(), "../../docs/metrics.md": metricsPage()} {
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the program says (%v): go test ./cmd/binnacle -run ReferencePages -update", file, err)
		}
	}
}

// usual are the flags that many commands have, told once.
var usual = map[string]string{
	"url": "of the agent", "ca-file": "", "cert-file": "", "key-file": "", "help": "", "config": "", "data": "", "listen": "", "topology": "",
}

func commandsPage() []byte {
	var b bytes.Buffer
	b.WriteString("# Commands\n\nMade from the program. `binnacle COMMAND --help` says the same, and each has a man page.\n\nCommands that ask an agent take `--url` or `$BINNACLE_URL`, `$BINNACLE_TOKEN`, and `--ca-file`, `--cert-file`, `--key-file`; where `binnacle setup`\nran, root needs none of them. Commands that read the configuration take `--config`, `--data`, `--listen` and `--topology`.\n")
	var write func(c *cobra.Command)
	write = func(c *cobra.Command) {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			return
		}
		if c.Runnable() {
			fmt.Fprintf(&b, "\n## %s\n\n%s.\n", c.CommandPath(), c.Short)
			fmt.Fprintf(&b, "\n    %s\n", strings.TrimSuffix(c.UseLine(), " [flags]"))
			first := true
			c.LocalFlags().VisitAll(func(f *pflag.Flag) {
				if _, ok := usual[f.Name]; ok || f.Hidden {
					return
				}
				if first {
					b.WriteString("\n| flag | default | meaning |\n| --- | --- | --- |\n")
					first = false
				}
				fmt.Fprintf(&b, "| `--%s` | %s | %s |\n", f.Name, code(f.DefValue), strings.ReplaceAll(strings.ReplaceAll(f.Usage, "\n", " "), "|", "\\|"))
			})
		}
		for _, sub := range c.Commands() {
			write(sub)
		}
	}
	write(newRoot())
	return b.Bytes()
}

func code(text string) string {
	if text == "" || text == "false" || text == "[]" || text == "0" || text == "0s" {
		return ""
	}
	return "`" + text + "`"
}

func metricsPage() []byte {
	var b bytes.Buffer
	b.WriteString("# Metrics\n\nMade from the collectors. Names are those of PromQL without a suffix that a kind adds: counters end in `_total`, timers and histograms have\n`_count`, `_sum` and `_bucket`. Every series has the label `node` and the node's tags.\n")
	for _, spec := range catalogue.All() {
		if len(spec.Metrics) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n| metric | kind | unit | meaning |\n| --- | --- | --- | --- |\n", spec.Name)
		for _, m := range spec.Metrics {
			fmt.Fprintf(&b, "| `%s` | %v | %v | %s |\n", m.Name, m.Kind, m.Unit, strings.ReplaceAll(m.Help, "|", "\\|"))
		}
	}
	return b.Bytes()
}
