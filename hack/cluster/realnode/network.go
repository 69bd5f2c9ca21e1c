// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package realnode

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// namespaceDir is where the ip command keeps named network namespaces.
	namespaceDir = "/run/netns"
	// podBridge is the bridge that connects the pods, inside the namespace.
	podBridge = "cni0"
	// The networks are 10.N.0.0/16 with N from this range, which neither
	// container networks nor home routers use by default.
	firstNetwork = 180
	networks     = 60
)

// Network is the node's part of this machine's network: a namespace with
// the node's address, reached through a pair of interfaces. It can be stored
// as JSON.
type Network struct {
	// Namespace is the name of the network namespace.
	Namespace string
	// Link is this machine's interface of the pair.
	Link string
	// HostAddress is the address of this machine on the link, and NodeAddress
	// that of the node, at the other end.
	HostAddress netip.Addr
	NodeAddress netip.Addr
	// Pods and Services are the ranges that pods and Services have addresses
	// from.
	Pods     netip.Prefix
	Services netip.Prefix
	// APIAddress is the first address of Services, that of "kubernetes".
	APIAddress netip.Addr
}

// planNetwork chooses a network that this machine does not know yet. The same
// name gets the same one, unless that is taken.
func planNetwork(name string) (Network, error) {
	taken, err := takenPrefixes()
	if err != nil {
		return Network{}, fmt.Errorf("choose a network: %w", err)
	}
	sum := sha256.Sum256([]byte(name))
	for i := range networks {
		n := byte(firstNetwork + (int(sum[0])+i)%networks)
		whole := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, n}), 16)
		if overlapsAny(whole, taken) {
			continue
		}
		return Network{
			Namespace:   "metrics-apiserver-" + name,
			Link:        "mas-" + hex.EncodeToString(sum[:4]), // an interface's name has at most 15 bytes
			HostAddress: netip.AddrFrom4([4]byte{10, n, 0, 1}),
			NodeAddress: netip.AddrFrom4([4]byte{10, n, 0, 2}),
			Pods:        netip.PrefixFrom(netip.AddrFrom4([4]byte{10, n, 1, 0}), 24),
			Services:    netip.PrefixFrom(netip.AddrFrom4([4]byte{10, n, 2, 0}), 24),
			APIAddress:  netip.AddrFrom4([4]byte{10, n, 2, 1}),
		}, nil
	}
	return Network{}, fmt.Errorf("choose a network: this machine has addresses in each of 10.%d.0.0/16 to 10.%d.0.0/16",
		firstNetwork, firstNetwork+networks-1)
}

// takenPrefixes returns the networks of this machine's interfaces.
func takenPrefixes() ([]netip.Prefix, error) {
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var taken []netip.Prefix
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil {
			return nil, err
		}
		taken = append(taken, prefix)
	}
	return taken, nil
}

func overlapsAny(prefix netip.Prefix, others []netip.Prefix) bool {
	return slices.ContainsFunc(others, prefix.Overlaps)
}

// path returns the file that stands for the namespace.
func (n Network) path() string { return filepath.Join(namespaceDir, n.Namespace) }

// enter returns the command that runs argv in the namespace. It is nsenter and
// not the ip command, which would also mount another /sys and so hide the
// cgroups from the kubelet.
func (n Network) enter(argv []string) []string {
	return append([]string{"nsenter", "--net=" + n.path(), "--"}, argv...)
}

// create makes the namespace and its interfaces.
func (n Network) create(ctx context.Context) error {
	inside := []string{
		"link set lo up",
		fmt.Sprintf("addr add %s/30 dev eth0", n.NodeAddress),
		"link set eth0 up",
		// An address of this machine, so that kube-apiserver hears what pods
		// send to it. No other way leads out of the namespace.
		fmt.Sprintf("addr add %s/32 dev lo", n.APIAddress),
	}
	outside := []string{
		fmt.Sprintf("netns add %s", n.Namespace),
		fmt.Sprintf("link add %s type veth peer name eth0 netns %s", n.Link, n.Namespace),
		fmt.Sprintf("addr add %s/30 dev %s", n.HostAddress, n.Link),
		fmt.Sprintf("link set %s up", n.Link),
		fmt.Sprintf("route add %s via %s", n.Pods, n.NodeAddress),
	}
	for _, args := range outside[:2] {
		if _, err := run(ctx, "ip", strings.Fields(args)...); err != nil {
			return fmt.Errorf("make network namespace %s: %w", n.Namespace, err)
		}
	}
	for _, args := range inside {
		if _, err := run(ctx, "ip", append([]string{"-n", n.Namespace}, strings.Fields(args)...)...); err != nil {
			return fmt.Errorf("set up network namespace %s: %w", n.Namespace, err)
		}
	}
	for _, args := range outside[2:] {
		if _, err := run(ctx, "ip", strings.Fields(args)...); err != nil {
			return fmt.Errorf("connect to network namespace %s: %w", n.Namespace, err)
		}
	}
	return nil
}

// remove deletes the namespace and its interfaces, whatever there is of them.
func (n Network) remove(ctx context.Context) error {
	var errs []error
	if _, err := os.Stat("/sys/class/net/" + n.Link); err == nil {
		_, err := run(ctx, "ip", "link", "delete", n.Link)
		errs = append(errs, err)
	}
	if _, err := os.Stat(n.path()); err == nil {
		_, err := run(ctx, "ip", "netns", "delete", n.Namespace)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove network namespace %s: %w", n.Namespace, err)
	}
	return nil
}

// processes returns the processes in the namespace. All were started by this
// package or by what it started.
func (n Network) processes(ctx context.Context) ([]int, error) {
	if _, err := os.Stat(n.path()); errors.Is(err, fs.ErrNotExist) {
		return nil, nil // So nobody is in it.
	}
	out, err := run(ctx, "ip", "netns", "pids", n.Namespace)
	if err != nil {
		return nil, fmt.Errorf("list the processes in network namespace %s: %w", n.Namespace, err)
	}
	return parsePids(out)
}
