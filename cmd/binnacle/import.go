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
	"syscall"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/navcloud/binnacle/agent/strict"
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

// imported is a file of an import.
type imported struct {
	text []byte
	mode fs.FileMode
}

// writeImport writes all files, or none where one of them is there already. A main file that is there stays as it is: the import is a
// fragment beside it.
func writeImport(out io.Writer, r *importer.Result, folder string) error {
	main, err := beside(r, folder)
	if err != nil {
		return err
	}
	b, err := yaml.Marshal(r.Config)
	if err != nil {
		return err
	}
	report := []byte("What has no counterpart, and why:\n")
	for _, l := range r.Report {
		report = append(report, l+"\n"...)
	}
	if len(r.Report) == 0 {
		report = []byte("Everything has a counterpart.\n")
	}
	files := map[string]imported{main: {b, 0o640}, "report.txt": {report, 0o644}}
	if len(r.Topology) > 0 {
		files["topology.yaml"] = imported{r.Topology, 0o644}
	}
	for name, text := range r.Rules {
		files[filepath.Join("rules", name)] = imported{text, 0o644}
	}
	for name, value := range r.Secrets {
		files[filepath.Join("secrets", name)] = imported{[]byte(value + "\n"), 0o600}
	}
	names := slices.Sorted(maps.Keys(files))
	for _, name := range names {
		if _, err := os.Lstat(filepath.Join(folder, name)); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is there already: nothing was written", filepath.Join(folder, name))
		}
	}
	gid := agentGroup(folder)
	for _, name := range names {
		path := filepath.Join(folder, name)
		if err := files[name].write(path, gid); err != nil {
			return err
		}
		fmt.Fprintln(out, "wrote", path)
	}
	fmt.Fprintf(out, "%d lines have no counterpart: see %s\nNext: binnacle check --config %s\n", len(r.Report), filepath.Join(folder, "report.txt"), filepath.Join(folder, "binnacle.yaml"))
	return nil
}

// beside is the file that the import goes to. Where the folder has a main file, as a package leaves one, r loses what that and its
// fragments set.
func beside(r *importer.Result, folder string) (string, error) {
	main := filepath.Join(folder, "binnacle.yaml")
	if _, err := os.Lstat(main); err != nil {
		return filepath.Base(main), nil
	}
	files, err := strict.Files(main)
	if err != nil {
		return "", err
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		have := map[string]any{}
		if err := yaml.Unmarshal(b, &have); err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
		r.Without(path, have)
	}
	return importer.Fragment, nil
}

// agentGroup is the group that reads the folder's files, where root writes into a folder that a package made for the agent; else -1.
func agentGroup(folder string) int {
	info, err := os.Stat(folder)
	if err != nil || os.Geteuid() != 0 {
		return -1
	}
	if of, ok := info.Sys().(*syscall.Stat_t); ok && of.Gid != 0 {
		return int(of.Gid)
	}
	return -1
}

// write makes a file that is not there, readable by the group where there is one.
func (f imported) write(path string, gid int) error {
	if gid >= 0 {
		f.mode &^= 0o007
		f.mode |= 0o040
	}
	dir := filepath.Dir(path)
	_, missing := os.Stat(dir)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	if missing != nil && gid >= 0 {
		if err := os.Chown(dir, -1, gid); err != nil {
			return err
		}
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, f.mode)
	if err != nil {
		return err
	}
	_, err = file.Write(f.text)
	if gid >= 0 {
		err = errors.Join(err, file.Chown(-1, gid))
	}
	return errors.Join(err, file.Close())
}
