package oncall

import (
	"strings"
	"testing"
)

func TestStepOf(t *testing.T) {
	long := strings.Repeat("Look at it with care. ", 12)
	for name, tc := range map[string]struct {
		in   string
		want firstStep
	}{
		"a command after a colon": {"Find what grew: `du -xh /srv | tail`; delete logs", firstStep{"Find what grew:", "du -xh /srv | tail", "Delete logs."}},
		"a command in a sentence stays there": {
			"Make room in the folder that `binnacle status` names: `df -h; df -i`", firstStep{"Make room in the folder that `binnacle status` names:", "df -h; df -i", ""},
		},
		"none":                          {"Give the agent a user of its own", firstStep{Lead: "Give the agent a user of its own"}},
		"a word of code is no command":  {"Look at this: `RabbitMQ` is down", firstStep{Lead: "Look at this: `RabbitMQ` is down"}},
		"a name keeps its letters":      {"See: `binnacle status`; queue_full wants a faster one", firstStep{"See:", "binnacle status", "queue_full wants a faster one."}},
		"an open mark":                  {"See: `binnacle status", firstStep{Lead: "See: `binnacle status"}},
		"a long text ends at sentences": {long, firstStep{Lead: strings.TrimSpace(strings.Repeat("Look at it with care. ", 8)), Then: strings.TrimSpace(strings.Repeat("Look at it with care. ", 4))}},
		"a long text without sentences": {strings.Repeat("ü", 300), firstStep{Lead: strings.Repeat("ü", 300)}},
		"nothing":                       {"", firstStep{}},
	} {
		if got := stepOf(tc.in); got != tc.want {
			t.Errorf("%s: stepOf(%q) = %+v, want %+v", name, tc.in, got, tc.want)
		}
	}
}
