// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/metrics-apiserver/metrics-apiserver/cmd/metrics-apiserver/configfile"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/history"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/storage/series"
)

// historyOptions are how much of the past is kept where the configuration file does
// not say.
type historyOptions struct {
	maxBytes resource.QuantityValue
}

func (o *historyOptions) addFlags(fs *pflag.FlagSet) {
	fs.Var(&o.maxBytes, "history-max-bytes", "The memory for what nodes said lately, which rules of --config that are new look back into, beside Go's heap: at least 32Mi, of which whole multiples are used; 0 keeps nothing. history.maxBytes in --config goes before it. Not in metrics-server.")
}

func (o *historyOptions) validate(config string) []error {
	var errs []error
	bytes := o.maxBytes.Value()
	if err := (history.Keep{MaxBytes: bytes}).Validate(); err != nil {
		errs = append(errs, fmt.Errorf("--history-max-bytes: %w", err))
	}
	if bytes != 0 && config == "" {
		errs = append(errs, errors.New("--history-max-bytes is of no use without --config, whose rules read the history: give both or none"))
	}
	return errs
}

// keep is what a configuration says of the past, where rules read some sources.
func (o *historyOptions) keep(c *configfile.Config, read series.SourceSet) (history.Keep, error) {
	keep := history.Keep{MaxBytes: o.maxBytes.Value(), Sources: read}
	if c.History.MaxBytes != 0 {
		keep.MaxBytes = c.History.MaxBytes
	}
	for _, name := range c.History.Sources {
		if source, ok := series.SourceNamed(name); ok {
			keep.Sources |= series.SourceSetOf(source)
		}
	}
	if keep.Sources == 0 { // It costs no request.
		keep.Sources = series.SourceSetOf(series.Resource)
	}
	if err := keep.Validate(); err != nil {
		return history.Keep{}, c.Problem(c.History.Line, "history.maxBytes: %v", err)
	}
	return keep, nil
}
