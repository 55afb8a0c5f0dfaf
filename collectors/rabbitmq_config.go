package collectors

import (
	"context"
	"path/filepath"
	"regexp"
	"strings"
)

// How the two formats of a configuration say what a node does in a partition, which no API of the broker tells.
// Source: www.rabbitmq.com/docs/partitions and /docs/configure, read November 2026.
var (
	rabbitmqHandlingConf     = regexp.MustCompile(`(?m)^\s*cluster_partition_handling\s*=\s*(\w+)`)
	rabbitmqHandlingAdvanced = regexp.MustCompile(`(?m)^[^%\n]*\{\s*cluster_partition_handling\s*,\s*\{?\s*(\w+)`)
)

// lookConfig reads what the node does in a partition.
func (r *rabbitmq) lookConfig(context.Context) (func(), error) {
	handling := rabbitmqHandlingOf(r.env.Root, r.opt.Config)
	return func() { r.seen.handling = handling }, nil
}

// rabbitmqHandlingOf returns what the files say together: the broker's default where there are files that don't say it, and
// nothing where there are none, or one can't be read, which may say otherwise.
func rabbitmqHandlingOf(root string, patterns []string) string {
	files, conf, advanced := 0, "", ""
	for _, p := range patterns {
		names, err := filepath.Glob(filepath.Join(root, p))
		if err != nil {
			return ""
		}
		for _, name := range names {
			text, err := hostFS("/").read(name)
			if err != nil {
				return ""
			}
			files++
			if strings.HasSuffix(name, ".conf") {
				if all := rabbitmqHandlingConf.FindAllStringSubmatch(text, -1); len(all) > 0 {
					conf = all[len(all)-1][1]
				}
			} else if m := rabbitmqHandlingAdvanced.FindStringSubmatch(text); m != nil {
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
