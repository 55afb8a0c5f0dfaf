package rabbitmq

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/navcloud/binnacle/collectors"
)

func TestRabbitmqPartitionHandling(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"none.conf":       "net_ticktime = 60\n# cluster_partition_handling = autoheal\n",
		"pause.conf":      "cluster_partition_handling=pause_minority\n",
		"heal.conf":       "a = 1\n  cluster_partition_handling = autoheal # since May\n",
		"empty.config":    "[].\n",
		"down.config":     "[{rabbit, [\n % {cluster_partition_handling, ignore},\n {cluster_partition_handling,\n {pause_if_all_down, [rabbit@a], ignore}}]}].\n",
		"advanced.config": "[{rabbit, [{cluster_partition_handling, ignore}]}].",
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		files []string
		want  string
	}{
		{nil, ""},
		{[]string{"/not.conf"}, ""},
		{[]string{"/not.conf", "/pau*.conf"}, "pause_minority"},
		{[]string{"/none.conf", "/empty.config"}, "ignore"},
		{[]string{"/pause.conf"}, "pause_minority"},
		{[]string{"/pause.conf", "/heal.conf"}, "autoheal"}, // the later one rules
		{[]string{"/advanced.config", "/pause.conf"}, "ignore"},
		{[]string{"/down.config", "/none.conf"}, "pause_if_all_down"},
	} {
		if got := handlingOf(collectors.Root(root), tc.files); got != tc.want {
			t.Errorf("%v: %q; want %q", tc.files, got, tc.want)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "folder.conf"), 0o700); err != nil {
		t.Fatal(err)
	}
	if got := handlingOf(collectors.Root(root), []string{"/*.conf"}); got != "" {
		t.Errorf("with one that can't be read: %q; want nothing, since it may say otherwise", got)
	}
}
