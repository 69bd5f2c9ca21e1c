// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	genericapiserver "k8s.io/apiserver/pkg/server"
	cliflag "k8s.io/component-base/cli/flag"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/component-base/version"
)

// newCommand is the command line of the program.
func newCommand() *cobra.Command {
	o := newOptions()
	command := &cobra.Command{
		Use:   "metrics-apiserver",
		Short: "Serve the usage of nodes and pods as metrics.k8s.io",
		Long: "metrics-apiserver scrapes the kubelets of a cluster and serves the usage of nodes and pods\n" +
			"as metrics.k8s.io, to kubectl top and to the HorizontalPodAutoscaler.",
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(command *cobra.Command, _ []string) error {
			if o.showVersion {
				fmt.Fprintln(command.OutOrStdout(), version.Get().GitVersion)
				return nil
			}
			if err := logsapi.ValidateAndApply(o.logging, nil); err != nil {
				return err
			}
			o.complete(os.Getenv("KUBERNETES_SERVICE_HOST") != "")
			if err := o.validate(); err != nil {
				return err
			}
			defer paceGarbage()()
			server, err := newServer(o)
			if err != nil {
				return err
			}
			return server.run(genericapiserver.SetupSignalContext())
		},
	}
	command.AddCommand(newCheckCommand())
	sections := o.flags()
	for _, set := range sections.FlagSets {
		command.Flags().AddFlagSet(set)
	}
	command.SetUsageFunc(func(command *cobra.Command) error {
		printUsage(command.OutOrStderr(), command, sections)
		return nil
	})
	command.SetHelpFunc(func(command *cobra.Command, _ []string) {
		fmt.Fprintf(command.OutOrStdout(), "%s\n\n", command.Long)
		printUsage(command.OutOrStdout(), command, sections)
	})
	return command
}

func printUsage(w io.Writer, command *cobra.Command, sections cliflag.NamedFlagSets) {
	fmt.Fprintf(w, "Usage:\n  %s [flags]\n", command.Name())
	cliflag.PrintSections(w, sections, 0) // 0: no wrapping
}
