// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"fmt"
	"strings"
	"time"
)

// Series is what is measured over time.
type Series struct {
	// Name says what it is, with its unit.
	Name string
	// Values are one for each moment that a plot has.
	Values []float64
}

const (
	plotWidth, plotHeight, plotMargin = 760, 120, 60
)

// SVG draws each series in a panel of its own, from zero to its largest value,
// one below the other, over the moments at which all were measured.
func SVG(title string, moments []time.Duration, series ...Series) string {
	height := 40 + len(series)*(plotHeight+30)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", plotWidth+2*plotMargin, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="white"/><text x="%d" y="22" font-size="15">%s</text>`+"\n", plotMargin, escape(title))
	if len(moments) < 2 {
		return b.String() + "</svg>\n"
	}
	whole := moments[len(moments)-1]
	for i, s := range series {
		top := 40 + i*(plotHeight+30)
		most := 0.0
		for _, v := range s.Values {
			most = max(most, v)
		}
		if most == 0 {
			most = 1
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d">%s</text>`+"\n", plotMargin, top+10, escape(s.Name))
		fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%.4g</text><text x="%d" y="%d" text-anchor="end">0</text>`+"\n", plotMargin-4, top+24, most, plotMargin-4, top+plotHeight+14)
		fmt.Fprintf(&b, `<path d="M%d %dV%dH%d" fill="none" stroke="#999"/>`+"\n", plotMargin, top+14, top+plotHeight+14, plotMargin+plotWidth)
		b.WriteString(`<polyline fill="none" stroke="#1f5fbf" stroke-width="1.5" points="`)
		for j, v := range s.Values {
			x := plotMargin + float64(plotWidth)*float64(moments[j])/float64(whole)
			y := float64(top+plotHeight+14) - float64(plotHeight)*v/most
			fmt.Fprintf(&b, "%.1f,%.1f ", x, y)
		}
		b.WriteString(`"/>` + "\n")
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%v</text>`+"\n</svg>\n", plotMargin+plotWidth, height-4, whole.Round(time.Second))
	return b.String()
}

// escape is text as it can stand in XML.
func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}
