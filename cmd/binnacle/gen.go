//go:build gen

package main

import (
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// The command `gen` is in builds with the tag gen alone: it writes what packages ship beside the program.
func init() { extra = append(extra, newGen) }

// newGen writes man pages and completions. SOURCE_DATE_EPOCH is their date, so that two builds give the same bytes.
func newGen() *cobra.Command {
	return &cobra.Command{
		Use: "gen DIR", Short: "Write man pages, completions and the changelog for packages", Args: cobra.ExactArgs(1), Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := epoch()
			if err != nil {
				return err
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			for _, d := range []string{"man", "completions"} {
				if err := os.MkdirAll(filepath.Join(args[0], d), 0o755); err != nil {
					return err
				}
			}
			header := &doc.GenManHeader{Title: "BINNACLE", Section: "1", Date: &at, Source: "binnacle", Manual: "binnacle"}
			if err := doc.GenManTree(root, header, filepath.Join(args[0], "man")); err != nil {
				return err
			}
			pages, err := filepath.Glob(filepath.Join(args[0], "man", "*.1"))
			if err != nil || len(pages) == 0 {
				return errors.Join(err, fmt.Errorf("%d man pages", len(pages)))
			}
			for _, p := range pages {
				if err := compress(p, p+".gz"); err != nil {
					return err
				}
				if err := os.Remove(p); err != nil {
					return err
				}
			}
			in := func(name string) string { return filepath.Join(args[0], "completions", name) }
			return errors.Join(
				root.GenBashCompletionFileV2(in("binnacle.bash"), true), root.GenZshCompletionFile(in("_binnacle")),
				root.GenFishCompletionFile(in("binnacle.fish"), true), compress("CHANGELOG.md", filepath.Join(args[0], "changelog.gz")),
			)
		},
	}
}

func epoch() (time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		return time.Now().UTC(), nil
	}
	s, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: want seconds since 1970, have %q", text)
	}
	return time.Unix(s, 0).UTC(), nil
}

// compress writes a gzip file without a name and a time, as Debian's policy wants it.
func compress(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	z, _ := gzip.NewWriterLevel(f, gzip.BestCompression) // a level that there is
	_, err = z.Write(data)
	return errors.Join(err, z.Close(), f.Close())
}
