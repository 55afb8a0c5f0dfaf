package lines

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestATableNeverAnswersWrong(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		var table Table[int]
		model := map[uint64]int{}
		key := func() uint64 { return (1 + r.Uint64N(64)) << (r.Uint64N(4) * 16) } // many neighbours
		for i := range 5000 {
			switch k := key(); r.IntN(6) {
			case 0:
				table.Room(r.IntN(400))
			case 1:
				if r.IntN(50) == 0 {
					table.Keep(func(v *int) bool { return *v%2 == 0 })
					for k, v := range model {
						if v%2 != 0 {
							delete(model, k)
						}
					}
				}
			case 2, 3:
				table.Put(k, i)
				model[k] = i
				if v := table.Get(k); v == nil || *v != i {
					t.Fatalf("seed %d: what was put last is not there", seed)
				}
			default:
				if v := table.Get(k); v != nil && *v != model[k] {
					t.Fatalf("seed %d: key %d has %d; want %d or nothing", seed, k, *v, model[k])
				}
			}
		}
	}
}

func TestWithRoomNearlyAllAreFound(t *testing.T) {
	const n = 100_000
	var table Table[int]
	table.Room(n)
	for i := range n {
		table.Put(Hash([]byte(fmt.Sprint("name.", i)), []byte("|c|#a:b")), i)
	}
	missed := 0
	for i := range n {
		if v := table.Get(Hash([]byte(fmt.Sprint("name.", i)), []byte("|c|#a:b"))); v == nil {
			missed++
		} else if *v != i {
			t.Fatalf("%d is taken for %d", i, *v)
		}
	}
	if missed > n/100 {
		t.Errorf("%d of %d were replaced; want at most one in a hundred", missed, n)
	}
}

func TestHeadAndTailAreNotExchanged(t *testing.T) {
	seen := map[uint64]string{}
	for _, p := range [][2]string{{"a", "b"}, {"b", "a"}, {"ab", ""}, {"", "ab"}, {"a", "a"}, {"b", "b"}, {"", ""}} {
		h := Hash([]byte(p[0]), []byte(p[1]))
		if was, twice := seen[h]; twice {
			t.Errorf("%q and %s have one key", p, was)
		}
		seen[h] = fmt.Sprintf("%q", p)
	}
}

func TestGettingAllocatesNothing(t *testing.T) {
	var table Table[[2]float64]
	head, tail := []byte("navcloud.streams.opened"), []byte("|c|#az:eu-west-1a")
	table.Put(Hash(head, tail), [2]float64{1, 2})
	if n := testing.AllocsPerRun(100, func() { table.Get(Hash(head, tail))[0]++ }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
