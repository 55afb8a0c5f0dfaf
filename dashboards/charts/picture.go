package charts

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"strings"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// A picture is a chart for where no page is: a message. It is light, since nobody knows what it will stand on, and holds all that the
// chart's page says of it.
const (
	pictureWidth, pictureHeight = 800, 400

	plotLeft, plotRight  = 72, 776 // of the plot, in pixels
	plotTop, plotBottom  = 116, 344
	maxPictureTitle      = 74 // characters of a line
	maxPictureWords      = 100
	lineWidth, thinWidth = 2.5, 1
)

// The colours are those of the light pages (assets/style.css).
var (
	inkBack, inkText, inkDim = rgb(0xffffff), rgb(0x12181f), rgb(0x46515e)
	inkGrid, inkBehind       = rgb(0xe0e5ea), rgb(0x7d8894)
	inkHot, inkZone          = rgb(0xb0141a), color.RGBA{0xfd, 0xf0, 0xef, 0xff}
	inkDeploy                = rgb(0x0a5a88)
	inkLines                 = []color.RGBA{rgb(0x0072b2), rgb(0xc25a00), rgb(0x00805f), rgb(0xa8457f), rgb(0x4a3fa8), rgb(0x6b5d00)}
)

func rgb(v uint32) color.RGBA { return color.RGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 0xff} }

// fonts are parsed once, when the first picture is drawn; they are built in, so that an error is one of the build.
var fonts = sync.OnceValues(func() (regular, bold *opentype.Font) {
	parse := func(b []byte) *opentype.Font {
		f, err := opentype.Parse(b)
		if err != nil {
			panic("charts: font: " + err.Error())
		}
		return f
	}
	return parse(goregular.TTF), parse(gobold.TTF)
})

// canvas is a picture while it is drawn.
type canvas struct {
	img   *image.RGBA
	z     *vector.Rasterizer
	faces map[float64]font.Face // by size, negative: bold
}

// Picture draws a chart as a PNG of 800 by 400 pixels under a title and a sentence. It is called by many goroutines at once.
func Picture(c Chart, title, said string) ([]byte, error) {
	cv := &canvas{image.NewRGBA(image.Rect(0, 0, pictureWidth, pictureHeight)), vector.NewRasterizer(pictureWidth, pictureHeight), map[float64]font.Face{}}
	draw.Draw(cv.img, cv.img.Bounds(), image.NewUniform(inkBack), image.Point{}, draw.Src)
	cv.text(24, 40, 0, -20, inkText, clipRunes(title, maxPictureTitle))
	cv.text(24, 66, 0, 15, inkDim, clipRunes(said, maxPictureWords))
	cv.frame(c)
	if b := c.BehindOf; b != nil {
		cv.series(c, *b, inkBehind, 1.5, []float64{2, 4})
	}
	for i, ln := range c.Lines {
		ink := inkLines[i%len(inkLines)]
		if ln.Class == "hot" {
			ink = inkHot
		}
		cv.series(c, ln, ink, lineWidth, nil)
	}
	cv.names(c)
	var b bytes.Buffer
	err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, cv.img)
	return b.Bytes(), err
}

func plotX(x float64) float64 { return plotLeft + (plotRight-plotLeft)*x/PlotWidth }
func plotY(c Chart, v float64) float64 {
	return plotTop + (plotBottom-plotTop)*c.YAt(v)/plotHeight
}

// frame draws what stands behind the lines.
func (cv *canvas) frame(c Chart) {
	if c.OnsetAt != "" {
		x := plotX(c.XAt(c.Onset))
		cv.polygon(inkZone, x, plotTop, plotRight, plotTop, plotRight, plotBottom, x, plotBottom)
	}
	for i, text := range c.Y {
		y := plotTop + float64(plotBottom-plotTop)*float64(i)/plotSteps
		cv.stroke([]float64{plotLeft, y, plotRight, y}, thinWidth, inkGrid, nil)
		cv.text(plotLeft-10, y+4, 1, 13, inkDim, text)
	}
	for _, t := range Ticks(c.From, c.To) {
		x := plotX(c.XAt(t.Time))
		cv.text(x, plotBottom+20, .5, 13, inkDim, t.Text)
	}
	for _, m := range c.Marks {
		x := plotX(c.XAt(m.At))
		cv.stroke([]float64{x, plotTop, x, plotBottom}, 1.5, inkDeploy, []float64{2, 3})
	}
	if c.LimitAt != "" {
		y := plotY(c, c.Limit)
		cv.stroke([]float64{plotLeft, y, plotRight, y}, 1.5, inkHot, []float64{8, 4})
	}
	if c.OnsetAt != "" {
		x := plotX(c.XAt(c.Onset))
		cv.stroke([]float64{x, plotTop, x, plotBottom}, 1.5, inkDim, nil)
	}
}

// names writes the labels into the drawing and what the lines are below it.
func (cv *canvas) names(c Chart) {
	inks := map[string]color.RGBA{"limit": inkHot, "onset": inkText, "deploy": inkDeploy}
	for _, l := range c.Labels() {
		anchor := 0.0
		if l.End {
			anchor = 1
		}
		x := plotLeft + (plotRight-plotLeft)*l.x/100
		y := plotTop + (plotBottom-plotTop)*l.y/100 + 13 + 15*float64(l.Row)
		if l.Row < 0 {
			y -= 3
		}
		cv.text(x, y, anchor, 13, inks[l.Class], l.Text)
	}
	x := float64(plotLeft)
	for i, ln := range c.Lines {
		ink := inkLines[i%len(inkLines)]
		if ln.Class == "hot" {
			ink = inkHot
		}
		cv.stroke([]float64{x, 380, x + 22, 380}, lineWidth, ink, nil)
		x = cv.text(x+28, 384, 0, 13, inkDim, clipRunes(ln.Name, 24)) + 18
		if x > plotRight-260 {
			break
		}
	}
	if c.BehindOf != nil {
		cv.stroke([]float64{x, 380, x + 22, 380}, 1.5, inkBehind, []float64{2, 4})
		cv.text(x+28, 384, 0, 13, inkDim, c.BehindOf.Name)
	}
	cv.text(plotRight, 384, 1, 13, inkDim, "UTC, drawn "+c.To.UTC().Format("2 Jan 15:04"))
}

// series draws a line, with gaps where nothing was measured.
func (cv *canvas) series(c Chart, ln Line, ink color.RGBA, width float64, dash []float64) {
	var pts []float64
	for i, p := range ln.Pts {
		if i > 0 && p.T.Sub(ln.Pts[i-1].T) > 2*c.Step {
			cv.stroke(pts, width, ink, dash)
			pts = nil
		}
		pts = append(pts, plotX(c.XAt(p.T)), plotY(c, p.V))
	}
	cv.stroke(pts, width, ink, dash)
}

// stroke draws a path of x, y, x, y: each piece is a rectangle, each joint a dot. All turn the same way, so that what
// overlaps adds up and does not cancel.
func (cv *canvas) stroke(pts []float64, width float64, ink color.RGBA, dash []float64) {
	if len(dash) > 0 {
		for _, piece := range dashed(pts, dash) {
			cv.stroke(piece, width, ink, nil)
		}
		return
	}
	cv.z.Reset(pictureWidth, pictureHeight)
	r := width / 2
	for i := 0; i+1 < len(pts); i += 2 {
		if len(pts) > 4 || len(pts) == 2 {
			cv.dot(pts[i], pts[i+1], r)
		}
		if i+3 >= len(pts) {
			break
		}
		dx, dy := pts[i+2]-pts[i], pts[i+3]-pts[i+1]
		n := math.Hypot(dx, dy)
		if n == 0 {
			continue
		}
		dx, dy = r*dx/n, r*dy/n
		cv.path(pts[i]+dy, pts[i+1]-dx, pts[i+2]+dy, pts[i+3]-dx, pts[i+2]-dy, pts[i+3]+dx, pts[i]-dy, pts[i+1]+dx)
	}
	cv.fill(ink)
}

// dot is an octagon, which is round at this size.
func (cv *canvas) dot(x, y, r float64) {
	var pts []float64
	for i := range 8 {
		s, c := math.Sincos(float64(i) * math.Pi / 4)
		pts = append(pts, x+r*c, y+r*s)
	}
	cv.path(pts...)
}

func (cv *canvas) path(pts ...float64) {
	cv.z.MoveTo(float32(pts[0]), float32(pts[1]))
	for i := 2; i+1 < len(pts); i += 2 {
		cv.z.LineTo(float32(pts[i]), float32(pts[i+1]))
	}
	cv.z.ClosePath()
}

func (cv *canvas) polygon(ink color.RGBA, pts ...float64) {
	cv.z.Reset(pictureWidth, pictureHeight)
	cv.path(pts...)
	cv.fill(ink)
}

func (cv *canvas) fill(ink color.RGBA) {
	cv.z.Draw(cv.img, cv.img.Bounds(), image.NewUniform(ink), image.Point{})
}

// dashed cuts a path into the pieces that are drawn of it.
func dashed(pts, dash []float64) (out [][]float64) {
	if len(pts) < 4 {
		return nil
	}
	k, left := 0, dash[0]
	piece := []float64{pts[0], pts[1]}
	for i := 0; i+3 < len(pts); i += 2 {
		x, y := pts[i], pts[i+1]
		dx, dy := pts[i+2]-x, pts[i+3]-y
		n := math.Hypot(dx, dy)
		for at := 0.0; at < n; {
			part := min(left, n-at)
			at, left = at+part, left-part
			px, py := x+dx*at/n, y+dy*at/n
			if k%2 == 0 {
				piece = append(piece, px, py)
			}
			if left > 0 {
				continue
			}
			if k%2 == 0 {
				out = append(out, piece)
			}
			k, left, piece = k+1, dash[(k+1)%len(dash)], []float64{px, py}
		}
	}
	if k%2 == 0 && len(piece) > 2 {
		out = append(out, piece)
	}
	return out
}

// text writes a line whose base is at y and returns where it ends; anchor is the part of it that is left of x. Narrow spaces
// are in few fonts.
func (cv *canvas) text(x, y, anchor, size float64, ink color.RGBA, s string) float64 {
	face := cv.faces[size]
	if face == nil {
		regular, bold := fonts()
		f := regular
		if size < 0 {
			f = bold
		}
		var err error
		if face, err = opentype.NewFace(f, &opentype.FaceOptions{Size: math.Abs(size), DPI: 72, Hinting: font.HintingFull}); err != nil {
			return x // of sizes that are given here none fails
		}
		cv.faces[size] = face
	}
	s = narrow.Replace(s)
	d := font.Drawer{Dst: cv.img, Src: image.NewUniform(ink), Face: face}
	wide := float64(d.MeasureString(s)) / 64
	d.Dot = fixed.Point26_6{X: fixed.Int26_6((x - anchor*wide) * 64), Y: fixed.Int26_6(y * 64)}
	d.DrawString(s)
	return x + (1-anchor)*wide
}

var narrow = strings.NewReplacer("\u202f", " ", "\u2009", " ")

func clipRunes(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most-1]) + "…"
}
