// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/metrics-apiserver/metrics-apiserver/cmd/metrics-apiserver/configfile"
	"github.com/metrics-apiserver/metrics-apiserver/pkg/api/rules"
)

// errCheck is that the configuration has something wrong in it, which was printed.
var errCheck = errors.New("the configuration is not right")

// checkOptions are what to look at.
type checkOptions struct {
	// config is the configuration file.
	config string
	// answers are directories, each with what the kubelet of node said at a moment.
	answers []string
	node    string
	// objects are files with the Pods that answers are about.
	objects []string
}

// newCheckCommand is the command that looks at a configuration without a cluster.
func newCheckCommand() *cobra.Command {
	var o checkOptions
	command := &cobra.Command{
		Use:   "check --config FILE [--answers DIR ... [--objects FILE ...]]",
		Short: "Validate a configuration file, and evaluate its rules against recorded answers of a kubelet",
		Long: "check validates a configuration file, offline. With --answers it evaluates the rules as well:\n" +
			"each directory is one moment of one kubelet, with what it answered as metrics-resource.txt,\n" +
			"metrics-cadvisor.txt and stats-summary.json (or as such with .gz), as far as they are there, and\n" +
			"the moment, in seconds since 1970, in a file called time. All pods in the answers are taken to run.\n" +
			"With --objects it knows their labels and owners, too: each file is what kubectl get pods -o yaml, or\n" +
			"-o json, wrote. It ends with 1 if something is wrong.",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(command *cobra.Command, _ []string) error {
			return check(command.Context(), command.OutOrStdout(), &o)
		},
	}
	usage := func(command *cobra.Command) error {
		_, err := fmt.Fprintf(command.OutOrStdout(), "Usage:\n  %s\n\nFlags:\n%s", command.UseLine(), command.LocalFlags().FlagUsages())
		return err
	}
	command.SetUsageFunc(usage)
	command.SetHelpFunc(func(command *cobra.Command, _ []string) {
		fmt.Fprintf(command.OutOrStdout(), "%s\n\n", command.Long)
		if err := usage(command); err != nil {
			command.PrintErrln(err)
		}
	})
	command.Flags().StringVar(&o.config, "config", "", "The configuration file.")
	command.Flags().StringSliceVar(&o.answers, "answers", nil, "A directory with answers of a kubelet. Rates need two of them, or more.")
	command.Flags().StringSliceVar(&o.objects, "objects", nil, "A file with Pods, in YAML or JSON, for labels and owners that rules name.")
	command.Flags().StringVar(&o.node, "node", "node", "The name of the node that answered.")
	if err := command.MarkFlagRequired("config"); err != nil {
		panic("BUG: " + err.Error())
	}
	return command
}

// check prints what is wrong with a file, and what its rules come to.
func check(ctx context.Context, out io.Writer, o *checkOptions) error {
	if len(o.objects) > 0 && len(o.answers) == 0 {
		return errors.New("--objects is of no use without --answers, whose pods they are: give both or none")
	}
	text, err := os.ReadFile(o.config)
	if err != nil {
		return fmt.Errorf("read the configuration file: %w", err)
	}
	config, err := configfile.Parse(filepath.Base(o.config), text)
	if err != nil {
		return err
	}
	usable, refused := compiledRules(config)
	for _, err := range refused {
		fmt.Fprintln(out, err)
	}
	fmt.Fprintf(out, "%d rules are good, %d are not.\n", len(usable), len(refused))
	if len(o.answers) > 0 {
		if err := evaluateRecorded(ctx, out, usable, o); err != nil {
			return err
		}
	}
	sinks := checkSinks(config)
	if sinks != nil {
		fmt.Fprintln(out, sinks)
	}
	if len(refused) > 0 || sinks != nil {
		return errCheck
	}
	return nil
}

// compiledRules are the rules of a file that can be used, and what is wrong with
// the others.
func compiledRules(config *configfile.Config) (usable []*rules.Compiled, refused []error) {
	list := make([]rules.Rule, len(config.Rules))
	for i := range config.Rules {
		list[i] = ruleOf(&config.Rules[i])
	}
	refused = slices.Clone(config.Refused)
	compiled, errs := rules.CompileAll(list, ofCatalogue)
	for i, c := range compiled {
		if errs[i] != nil {
			refused = append(refused, ruleProblem(config, &config.Rules[i], errs[i]))
			continue
		}
		usable = append(usable, c)
	}
	return usable, refused
}

// evaluateRecorded prints what rules come to at the last of recorded moments.
func evaluateRecorded(ctx context.Context, out io.Writer, usable []*rules.Compiled, o *checkOptions) error {
	known, err := readPods(o.objects)
	if err != nil {
		return err
	}
	r, err := readRecordings(usable, o.node, o.answers)
	if err != nil {
		return err
	}
	if err := r.setPods(known, o.node); err != nil {
		return err
	}
	for _, note := range r.notes {
		fmt.Fprintln(out, note)
	}
	evaluator := rules.NewEvaluator(r.recent, r.pods, rules.DefaultMaxAge)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "RULE\tOF\tNAMESPACE\tOBJECT\tVALUE\tAGE\n")
	for _, rule := range usable {
		for _, namespace := range r.namespacesOf(rule) {
			result := evaluator.Evaluate(ctx, rule, namespace, r.at, 0)
			printResult(table, rule, namespace, result)
		}
	}
	return table.Flush()
}

// namespacesOf is for which namespaces a rule is evaluated; the empty one is all.
func (r *recordings) namespacesOf(rule *rules.Compiled) []string {
	if rule.Of() == "nodes" {
		return []string{""}
	}
	var visible []string
	for _, namespace := range slices.Sorted(maps.Keys(r.namespaces)) {
		if !rule.Rule().Attach.External || rule.VisibleIn(namespace) {
			visible = append(visible, namespace)
		}
	}
	return visible
}

// printResult prints a line a value.
func printResult(out io.Writer, rule *rules.Compiled, namespace string, result *rules.Result) {
	values := rule.Values(result, namespace)
	if len(values) == 0 {
		fmt.Fprintf(out, "%s\t%s\t%s\t-\tnone: %s\t\n", rule.Rule().Name, rule.Of(), namespace, rule.Explain(result))
	}
	for _, v := range values {
		value := v.Reason
		if value == "" {
			value = fmt.Sprintf("%d.%03d", v.Milli/1000, v.Milli%1000)
		}
		object := v.Object
		if attach := rule.Rule().Attach; object == "" && !attach.External {
			// Labels of pods are there with --objects only.
			object, value = "-", fmt.Sprintf("none: a result without the label %s is of nothing", attach.Label)
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%v\n", rule.Rule().Name, rule.Of(), namespace, object, value, (result.At - v.Time).Duration().Round(time.Second))
	}
}
