package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/cmd/binnacle/importer"
)

func newImport() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use: "import FILE...", Short: "Make a configuration of what others have: Prometheus, Alertmanager, Nagios, Telegraf, CloudWatch agent, statsd, Datadog", Args: cobra.MinimumNArgs(1),
		Long: "Make a configuration of what others have: alertmanager.yml, prometheus.yml, files of rules (also of Mimir, vmalert and the Prometheus operator, ConfigMaps and Secrets),\n" +
			"nagios.cfg with its objects, telegraf.conf, amazon-cloudwatch-agent.json, statsd's config.js, datadog.yaml with its conf.d. Files that they name\n" +
			"are read too. It writes binnacle.yaml in shadow mode, rules/,\n" +
			"secrets/, topology.yaml of Nagios' parents, and report.txt, which lists what has no counterpart. It overwrites nothing. Without -o it prints the configuration and the report.",
		RunE: func(cmd *cobra.Command, args []string) error {
			folder := dir
			if folder == "" {
				folder = "/etc/binnacle"
			}
			folder, err := filepath.Abs(folder)
			if err != nil {
				return err
			}
			var files []importer.File
			for _, path := range args {
				b, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				if path, err = filepath.Abs(path); err != nil {
					return err
				}
				files = append(files, importer.File{Path: path, Text: b})
			}
			r, err := importer.Import(files, folder)
			if err != nil {
				return err
			}
			if dir == "" {
				return printImport(cmd.OutOrStdout(), r)
			}
			return writeImport(cmd.OutOrStdout(), r, folder)
		},
	}
	cmd.Flags().StringVarP(&dir, "output", "o", "", "folder to write into")
	return cmd
}

func printImport(out io.Writer, r *importer.Result) error {
	b, err := yaml.Marshal(r.Config)
	if err != nil {
		return err
	}
	fmt.Fprint(out, r.Masked(b))
	for line := range strings.Lines(string(r.Topology)) {
		fmt.Fprint(out, "# topology.yaml: ", line)
	}
	for _, l := range r.Report {
		fmt.Fprintln(out, "#", l)
	}
	return nil
}

// writeImport writes all files, or none where one of them is there already.
func writeImport(out io.Writer, r *importer.Result, folder string) error {
	b, err := yaml.Marshal(r.Config)
	if err != nil {
		return err
	}
	files := map[string]struct {
		text []byte
		mode fs.FileMode
	}{"binnacle.yaml": {b, 0o640}}
	report := []byte("What has no counterpart, and why:\n")
	for _, l := range r.Report {
		report = append(report, l+"\n"...)
	}
	if len(r.Report) == 0 {
		report = []byte("Everything has a counterpart.\n")
	}
	files["report.txt"] = struct {
		text []byte
		mode fs.FileMode
	}{report, 0o644}
	if len(r.Topology) > 0 {
		files["topology.yaml"] = struct {
			text []byte
			mode fs.FileMode
		}{r.Topology, 0o644}
	}
	for name, text := range r.Rules {
		files[filepath.Join("rules", name)] = struct {
			text []byte
			mode fs.FileMode
		}{text, 0o644}
	}
	for name, value := range r.Secrets {
		files[filepath.Join("secrets", name)] = struct {
			text []byte
			mode fs.FileMode
		}{[]byte(value + "\n"), 0o600}
	}
	names := slices.Sorted(maps.Keys(files))
	for _, name := range names {
		if _, err := os.Lstat(filepath.Join(folder, name)); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is there already: nothing was written", filepath.Join(folder, name))
		}
	}
	for _, name := range names {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return err
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, files[name].mode)
		if err != nil {
			return err
		}
		_, err = f.Write(files[name].text)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
		fmt.Fprintln(out, "wrote", path)
	}
	fmt.Fprintf(out, "%d lines have no counterpart: see %s\nNext: binnacle check --config %s\n", len(r.Report), filepath.Join(folder, "report.txt"), filepath.Join(folder, "binnacle.yaml"))
	return nil
}
