package charts

import (
	"bytes"
	"image/png"
	"math"
	"os"
	"testing"
	"time"

	"github.com/navcloud/binnacle/agent/query"
)

// TestPicture draws what a message shows, and writes it where BINNACLE_SCREENS says.
func TestPicture(t *testing.T) {
	from := time.Date(2026, 11, 24, 11, 0, 0, 0, time.UTC)
	at := func(m int) time.Time { return from.Add(time.Duration(m) * time.Minute) }
	var pts, behind []query.Point
	for m := range 61 {
		v := 30 + 8*math.Sin(float64(m))
		behind = append(behind, query.Point{T: at(m), V: v * 1.5})
		if m > 43 {
			v = 481 * (1 - math.Exp(-float64(m-43)/6))
		}
		if m < 10 || m > 14 {
			pts = append(pts, query.Point{T: at(m), V: v})
		}
	}
	pl := Plan{ID: "e", Unit: InExact, Limit: 50, LimitName: "threshold 50", From: from, To: at(60), Step: time.Minute, Onset: at(44), Marks: []Mark{{At: at(41), Title: "x"}}, Behind: behind, BehindIs: "yesterday, same time"}
	c := Draw(pl, []query.Series{{Points: pts}}, func(query.Series) string { return "today" })
	c.Lines[0].Class = "hot"
	b, err := Picture(c, "P1 RabbitMQ is split: n1 and n3 cannot see n2", "481. The alarm fires above 50 for 1 min. Yesterday, same time: 52.")
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil || img.Bounds().Dx() != 800 || img.Bounds().Dy() != 400 {
		t.Fatalf("picture of %v, %v; want 800 by 400", img.Bounds(), err)
	}
	if len(b) > 64<<10 {
		t.Errorf("it has %d bytes, want at most 64 KiB", len(b))
	}
	hot := 0
	for x := plotLeft + 500; x < plotRight; x++ {
		for y := plotTop; y < plotBottom; y++ {
			if r, g, _, _ := img.At(x, y).RGBA(); r>>8 > 0x90 && g>>8 < 0x40 {
				hot++
			}
		}
	}
	if hot < 300 {
		t.Errorf("%d red points after the onset, want the line that crossed its threshold", hot)
	}
	if dir := os.Getenv("BINNACLE_SCREENS"); dir != "" {
		if err := os.WriteFile(dir+"/picture.png", b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPictureOfNothing(t *testing.T) {
	from := time.Date(2026, 11, 24, 11, 0, 0, 0, time.UTC)
	if _, err := Picture(Chart{Plan: Plan{From: from, To: from.Add(time.Hour)}}, "", "\u202f日本"); err != nil {
		t.Error(err)
	}
}

func TestDashed(t *testing.T) {
	got := dashed([]float64{0, 0, 10, 0, 10, 10}, []float64{4, 2})
	if len(got) != 4 || got[1][0] != 6 || got[1][2] != 10 || got[2][1] != 2 {
		t.Errorf("dashed gives %v, want pieces of 4 with gaps of 2 around the corner", got)
	}
}
