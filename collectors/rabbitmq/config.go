package rabbitmq

import (
	"context"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/navcloud/binnacle/collectors"
)

// How the two formats of a configuration say what a node does in a partition, which no API of the broker tells.
// Source: www.rabbitmq.com/docs/partitions and /docs/configure, read November 2026.
var (
	handlingConf     = regexp.MustCompile(`(?m)^\s*cluster_partition_handling\s*=\s*(\w+)`)
	handlingAdvanced = regexp.MustCompile(`(?m)^[^%\n]*\{\s*cluster_partition_handling\s*,\s*\{?\s*(\w+)`)
)

// askConfig reads what the node does in a partition.
func (r *collector) askConfig(context.Context) (func(), error) {
	handling := handlingOf(r.env.Root, r.opt.Config)
	return func() { r.seen.handling = handling }, nil
}

// handlingOf returns what the files say together: the broker's default where there are files that don't say it, and
// nothing where there are none, or one can't be read, which may say otherwise.
func handlingOf(root collectors.Root, patterns []string) string {
	files, conf, advanced := 0, "", ""
	for _, p := range patterns {
		names, err := filepath.Glob(root.Path(p))
		if err != nil {
			return ""
		}
		for _, name := range names {
			text, err := collectors.Root("/").Read(name)
			if err != nil {
				return ""
			}
			files++
			if strings.HasSuffix(name, ".conf") {
				if all := handlingConf.FindAllStringSubmatch(text, -1); len(all) > 0 {
					conf = all[len(all)-1][1]
				}
			} else if m := handlingAdvanced.FindStringSubmatch(text); m != nil {
				advanced = m[1]
			}
		}
	}
	switch {
	case files == 0:
		return ""
	case advanced != "":
		return advanced
	case conf != "":
		return conf
	}
	return "ignore"
}
