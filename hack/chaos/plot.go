// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Series is what is measured over time.
type Series struct {
	// Name says what it is, with its unit, and Note what came out.
	Name, Note string
	// Values are one for each moment that a plot has.
	Values []float64
	// Limit is drawn across, unless it is 0.
	Limit float64
}

// Sizes in pixels: of a panel, of what is left of and above the first, and from one
// to the next.
const (
	plotWidth, plotHeight = 760, 120
	plotLeft, plotTop     = 60, 72
	plotStep              = plotHeight + 46
)

// SVG draws each series in a panel of its own, from zero upwards, one below the
// other, over the moments at which all were measured. The subtitle says what
// happened meanwhile.
func SVG(title, subtitle string, moments []time.Duration, series ...Series) string {
	height := plotTop + len(series)*plotStep + 8
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", plotWidth+2*plotLeft, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/><text x="%d" y="24" font-size="16">%s</text>`+"\n", plotLeft, escape(title))
	for i, line := range wrap(subtitle, 140) {
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="#555" font-size="10">%s</text>`+"\n", plotLeft, 40+13*i, escape(line))
	}
	if len(moments) < 2 {
		return b.String() + "</svg>\n"
	}
	for i := range series {
		series[i].panel(&b, plotTop+i*plotStep, moments)
	}
	return b.String() + "</svg>\n"
}

// panel draws a series whose panel begins that far down.
func (s *Series) panel(b *strings.Builder, top int, moments []time.Duration) {
	const ticks = 4
	whole := moments[len(moments)-1]
	most := above(max(s.Limit, slices.Max(s.Values)))
	y := func(v float64) float64 { return float64(top+plotHeight) - plotHeight*v/most }
	fmt.Fprintf(b, `<text x="%d" y="%d" font-weight="bold">%s</text>`, plotLeft, top-6, escape(s.Name))
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end" fill="#555">%s</text>`+"\n", plotLeft+plotWidth, top-6, escape(s.Note))
	for i := range ticks + 1 {
		value, at := most*float64(i)/ticks, whole*time.Duration(i)/ticks
		x := plotLeft + plotWidth*i/ticks
		fmt.Fprintf(b, `<path d="M%d %.1fh%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end" fill="#555">%.4g</text>`, plotLeft, y(value), plotWidth, plotLeft-6, y(value)+4, value)
		fmt.Fprintf(b, `<path d="M%d %dv%d" stroke="#ddd"/><text x="%d" y="%d" text-anchor="middle" fill="#555">%v</text>`+"\n", x, top, plotHeight, x, top+plotHeight+15, at.Round(time.Second))
	}
	if s.Limit > 0 {
		fmt.Fprintf(b, `<path d="M%d %.1fh%d" stroke="#c33" stroke-dasharray="6 4"/>`+"\n", plotLeft, y(s.Limit), plotWidth)
	}
	b.WriteString(`<polyline fill="none" stroke="#1f5fbf" stroke-width="1.5" points="`)
	for j, v := range s.Values {
		fmt.Fprintf(b, "%.1f,%.1f ", plotLeft+plotWidth*float64(moments[j])/float64(whole), y(v))
	}
	b.WriteString(`"/>` + "\n")
}

// above is a round number that is at least v.
func above(v float64) float64 {
	if v <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, step := range []float64{1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8} {
		if step*power >= v {
			return step * power
		}
	}
	return 10 * power
}

// wrap is text in lines of at most that many bytes, unless a word has more.
func wrap(text string, most int) (lines []string) {
	for word := range strings.FieldsSeq(text) {
		if last := len(lines) - 1; last >= 0 && len(lines[last])+1+len(word) <= most {
			lines[last] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}

// escape is text as it can stand in XML.
func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}
