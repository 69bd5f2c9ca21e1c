// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package realnode

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// cgroupMount is where systems mount the cgroup file systems.
const cgroupMount = "/sys/fs/cgroup"

// controllers are those that the kubelet wants for pods, where the system has
// them.
var controllers = []string{"cpu", "cpuset", "hugetlb", "io", "memory", "pids"}

// hierarchies returns the roots of the mounted cgroup hierarchies: one for
// version 2, one for each controller for version 1.
func hierarchies() (roots []string, unified bool, err error) {
	if _, err := os.Stat(filepath.Join(cgroupMount, "cgroup.controllers")); err == nil {
		return []string{cgroupMount}, true, nil
	}
	files, err := filepath.Glob(filepath.Join(cgroupMount, "*", "cgroup.procs"))
	if err != nil {
		return nil, false, err
	}
	for _, file := range files {
		roots = append(roots, filepath.Dir(file))
	}
	if len(roots) == 0 {
		return nil, false, fmt.Errorf("no cgroup file system is mounted at %s", cgroupMount)
	}
	return roots, false, nil
}

// createCgroup makes the cgroup that the kubelet puts all pods into, so that
// they can be told from all other processes of the machine.
func createCgroup(name string) error {
	roots, unified, err := hierarchies()
	if err != nil {
		return fmt.Errorf("make cgroup %s: %w", name, err)
	}
	if unified {
		if err := passControllers(roots[0]); err != nil {
			return fmt.Errorf("make cgroup %s: %w", name, err)
		}
	}
	for _, root := range roots {
		dir := filepath.Join(root, name)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make cgroup %s: %w", name, err)
		}
		if unified {
			continue
		}
		// In version 1 a new cpuset is empty, and takes no process until it is
		// filled.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			all, err := os.ReadFile(filepath.Join(root, file))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, file), all, 0o644)
			}
			if err != nil {
				return fmt.Errorf("make cgroup %s: %w", name, err)
			}
		}
	}
	return nil
}

// passControllers lets the cgroups below a version 2 root use its controllers.
func passControllers(root string) error {
	available, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for name := range strings.FieldsSeq(string(available)) {
		if !slices.Contains(controllers, name) {
			continue
		}
		if err := os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+"+name), 0o644); err != nil {
			return fmt.Errorf("pass the controller %s on: %w", name, err)
		}
	}
	return nil
}

// cgroupDirs returns all directories of a cgroup and of those below it, in all
// hierarchies, the deepest first.
func cgroupDirs(name string) ([]string, error) {
	roots, _, err := hierarchies()
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, root := range roots {
		err := filepath.WalkDir(filepath.Join(root, name), func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // It is not there, or has just gone.
			}
			if err == nil && entry.IsDir() {
				dirs = append(dirs, path)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Reverse(dirs)
	return dirs, nil
}

// cgroupProcesses returns the processes in a cgroup and in those below it.
func cgroupProcesses(name string) ([]int, error) {
	dirs, err := cgroupDirs(name)
	if err != nil {
		return nil, fmt.Errorf("list the processes in cgroup %s: %w", name, err)
	}
	var all []int
	for _, dir := range dirs {
		b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV) {
			continue // It has just gone, maybe between opening and reading.
		}
		if err != nil {
			return nil, fmt.Errorf("list the processes in cgroup %s: %w", name, err)
		}
		pids, err := parsePids(string(b))
		if err != nil {
			return nil, fmt.Errorf("list the processes in cgroup %s: %w", name, err)
		}
		all = append(all, pids...)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// removeCgroup removes a cgroup without processes, and those below it.
func removeCgroup(name string) error {
	dirs, err := cgroupDirs(name)
	if err != nil {
		return fmt.Errorf("remove cgroup %s: %w", name, err)
	}
	var errs []error
	for _, dir := range dirs {
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove cgroup %s: %w", name, err)
	}
	return nil
}
