package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/navcloud/binnacle/agent/capacity"
	"github.com/navcloud/binnacle/agent/health"
	"github.com/navcloud/binnacle/agent/words"
)

func newForecast() *cobra.Command {
	var period, horizon int
	cmd := &cobra.Command{
		Use: "forecast", Short: "Forecast series from standard input, with intervals", Args: cobra.NoArgs,
		Long: `Forecast series from standard input, with intervals.

Reads CSV: a heading, then one series a line, its id first, then its values at equal steps, oldest first; lines may
differ in length, and an empty value or NaN is a missing one. Writes five lines for each series: id, then mean, lo80, hi80, lo95 or
hi95, then one value for each step ahead. Exits 1 when a series has not enough history; the others are written.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if period < 1 || horizon < 1 || horizon > 10_000 || period > 10_000 {
				return fmt.Errorf("--period, --horizon: want 1 to 10000, have %d and %d", period, horizon)
			}
			skipped, err := forecast(cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr(), period, horizon)
			if err == nil && skipped > 0 {
				return exitError(health.ExitWarning)
			}
			return err
		},
	}
	cmd.Flags().IntVar(&period, "period", 24, "steps of a season; 1 for none")
	cmd.Flags().IntVar(&horizon, "horizon", 48, "steps to look ahead")
	return cmd
}

// forecast reads series from in and writes their forecasts to out. Those that it can say nothing of are named in
// notes and counted.
func forecast(in io.Reader, out, notes io.Writer, period, horizon int) (skipped int, err error) {
	r := csv.NewReader(bufio.NewReaderSize(in, 1<<16))
	r.FieldsPerRecord, r.ReuseRecord = -1, true
	w := bufio.NewWriter(out)
	for first := true; ; first = false {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return skipped, w.Flush()
		}
		if err != nil {
			return skipped, fmt.Errorf("standard input: %w", err)
		}
		if first {
			continue
		}
		id := row[0]
		x, err := numbers(row[1:])
		if err != nil {
			line, _ := r.FieldPos(0)
			return skipped, fmt.Errorf("standard input, line %d, series %s: %w", line, id, err)
		}
		fan, err := capacity.Forecast(x, period, horizon)
		if err != nil {
			skipped++
			fmt.Fprintf(notes, "%s: %v: %s for %d steps ahead\n", id, err, words.Plural(len(x), "value"), horizon)
			continue
		}
		for _, l := range []struct {
			kind   string
			values []float64
		}{{"mean", fan.Mean}, {"lo80", fan.Lo80}, {"hi80", fan.Hi80}, {"lo95", fan.Lo95}, {"hi95", fan.Hi95}} {
			row := append(w.AvailableBuffer(), id+","+l.kind...)
			for _, v := range l.values {
				row = strconv.AppendFloat(append(row, ','), v, 'g', 8, 64)
			}
			_, _ = w.Write(append(row, '\n')) // Flush tells
		}
	}
}

// numbers reads a series; empty cells at its end belong to the longest line of the file and not to it.
func numbers(cells []string) ([]float64, error) {
	for len(cells) > 0 && strings.TrimSpace(cells[len(cells)-1]) == "" {
		cells = cells[:len(cells)-1]
	}
	out := make([]float64, len(cells))
	for i, c := range cells {
		if c = strings.TrimSpace(c); c == "" {
			out[i] = math.NaN()
			continue
		}
		v, err := strconv.ParseFloat(c, 64)
		if err != nil {
			return nil, fmt.Errorf("value %d: want a number, have %q", i+1, c)
		}
		out[i] = v
	}
	return out, nil
}
