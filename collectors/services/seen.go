package services

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/navcloud/binnacle/agent/atomicfile"
)

// seenFile keeps which servers were ever seen, so that one that is down when the agent starts is down, and not absent.
func (c *collector) seenFile() string { return filepath.Join(c.env.State, "seen-"+c.name) }

func (c *collector) readSeen() []string {
	if c.env.State == "" {
		return nil
	}
	body, err := atomicfile.Read(c.seenFile(), 1<<20)
	if err != nil {
		return nil // never seen, or not known
	}
	return strings.Split(strings.TrimSpace(string(body)), "\n")
}

// seenServers are the labels of those that were ever seen; it is asked while none is looked at.
func (c *collector) seenServers() (names []string) {
	for _, t := range c.targets {
		if t.seen {
			names = append(names, t.label)
		}
	}
	return names
}

func (c *collector) keepSeen(names []string) {
	if c.env.State == "" {
		return
	}
	err := os.MkdirAll(c.env.State, 0o750)
	if err == nil {
		err = os.WriteFile(c.seenFile(), []byte(strings.Join(names, "\n")+"\n"), 0o640)
	}
	if err != nil {
		c.env.Log.Warn("what was seen is forgotten with the next start", "err", err)
	}
}
