package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent"
	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/secret"
)

// maxEntry bounds one file of a bundle, in bytes.
const maxEntry = 8 << 20

// entry is one file of a bundle, already without secrets.
type entry struct {
	name string
	text []byte
}

func newSupport() *cobra.Command {
	var r remote
	var o overrides
	var out string
	var yes, show bool
	cmd := &cobra.Command{
		Use: "support", Short: "Write a bundle for who helps: version, status, configuration and metrics, without secrets; it is shown before it is written", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			entries := gatherSupport(&r, &o)
			w := cmd.OutOrStdout()
			for _, e := range entries {
				fmt.Fprintf(w, "%-16s %d bytes, %d lines\n", e.name, len(e.text), bytes.Count(e.text, []byte("\n")))
				if show {
					fmt.Fprintf(w, "%s\n", bytes.TrimRight(e.text, "\n"))
				}
			}
			if !yes && !agrees(cmd.InOrStdin(), w, out) {
				fmt.Fprintln(w, "Nothing was written. --show prints all of it; --yes writes without a question.")
				return nil
			}
			if err := writeBundle(out, entries); err != nil {
				return err
			}
			fmt.Fprintln(w, "Written:", out)
			return nil
		},
	}
	r.flags(cmd)
	o.flags(cmd)
	cmd.Flags().StringVar(&out, "out", "binnacle-support.tar.gz", "`file` to write; it must not be there yet")
	cmd.Flags().BoolVar(&yes, "yes", false, "write without a question")
	cmd.Flags().BoolVar(&show, "show", false, "print what the bundle holds")
	return cmd
}

// gatherSupport asks the agent and reads the configuration. What cannot be had says why in its place.
func gatherSupport(r *remote, o *overrides) []entry {
	var out []entry
	add := func(name, text string, err error) {
		if err != nil {
			text += "not available: " + err.Error() + "\n"
		}
		out = append(out, entry{name, []byte(secret.Redact(text))})
	}
	add("version.txt", fmt.Sprintf("binnacle %s\n%s %s/%s, %d CPUs\n%s\n", buildVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), time.Now().UTC().Format(time.RFC3339)), nil)
	var s health.Status
	err := r.get("/-/status", &s)
	var words strings.Builder
	var asJSON []byte
	if err == nil {
		s.Write(&words)
		asJSON, err = json.MarshalIndent(s, "", "  ")
	}
	add("status.txt", words.String(), err)
	add("status.json", string(asJSON)+"\n", err)
	metrics, err := r.text("/metrics")
	add("metrics.txt", metrics, err)
	cfg, err := o.load()
	described := ""
	if err == nil {
		described, err = agent.Describe(cfg)
	}
	add("config.yaml", described, err)
	return out
}

// text asks the agent for what is not JSON.
func (r *remote) text(path string) (string, error) {
	client, err := r.client()
	if err != nil {
		return "", err
	}
	resp, err := client.Get(r.url + path)
	if err != nil {
		return "", fmt.Errorf("no agent answers at %s: %w", r.shown(), err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s%s answers %s", r.shown(), path, resp.Status)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxEntry))
	return string(b), err
}

// agrees asks whether to write; no answer is no.
func agrees(in io.Reader, out io.Writer, file string) bool {
	fmt.Fprintf(out, "Write this to %s? [y/N] ", file)
	answer, _ := bufio.NewReader(in).ReadString('\n')
	return strings.EqualFold(strings.TrimSpace(answer), "y") || strings.EqualFold(strings.TrimSpace(answer), "yes")
}

// writeBundle writes a file that only its owner can read.
func writeBundle(file string, entries []entry) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	z := gzip.NewWriter(f)
	t := tar.NewWriter(z)
	var errs []error
	for _, e := range entries {
		errs = append(errs, t.WriteHeader(&tar.Header{Name: "binnacle-support/" + e.name, Mode: 0o600, Size: int64(len(e.text)), ModTime: time.Now()}))
		_, err := t.Write(e.text)
		errs = append(errs, err)
	}
	return errors.Join(append(errs, t.Close(), z.Close(), f.Close())...)
}
