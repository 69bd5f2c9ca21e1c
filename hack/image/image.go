// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Image is one container image: a layer of files and how to run them.
// A value is only read by this package and may be shared.
type Image struct {
	// Reference is the name and tag of the image, as in "example:v1".
	Reference string
	// Architecture is a GOARCH, as in "amd64".
	Architecture string
	// Files become the only layer, in any order. Parent directories that are
	// not listed are made with mode 0755.
	Files []File
	// Entrypoint is the command, and Args its default arguments.
	Entrypoint []string
	Args       []string
	// User is "uid:gid" in numbers: there is no /etc/passwd to look names up
	// in, and Kubernetes can verify runAsNonRoot for a number only.
	User string
	// Labels are the image's labels, which registries and scanners show.
	Labels map[string]string
}

// File is one entry of an image's layer. At most one of Source, Data and Link
// is set; with none of them it is an empty file, or a directory if Dir is true.
type File struct {
	// Path is where the entry is in the image, absolute and clean.
	Path string
	// Mode holds the permission bits of Unix, the sticky bit (01000) included.
	Mode int64
	// Source is a file on this machine whose content is taken.
	Source string
	// Data is the content.
	Data []byte
	// Link makes the entry a symbolic link to this path.
	Link string
	// Dir makes the entry a directory.
	Dir bool
}

// Validate says what is wrong with the image, in every file at once.
func (img Image) Validate() error {
	var errs []error
	if img.Reference == "" || strings.ContainsAny(img.Reference, " \t\n") {
		errs = append(errs, fmt.Errorf("reference %q is not an image name", img.Reference))
	}
	if img.Architecture == "" {
		errs = append(errs, errors.New("the architecture is missing"))
	}
	seen := make(map[string]bool, len(img.Files))
	for _, f := range img.Files {
		if !path.IsAbs(f.Path) || path.Clean(f.Path) != f.Path || f.Path == "/" {
			errs = append(errs, fmt.Errorf("path %q is not absolute and clean", f.Path))
		}
		if seen[f.Path] {
			errs = append(errs, fmt.Errorf("path %q is there twice", f.Path))
		}
		seen[f.Path] = true
		if f.contents() > 1 {
			errs = append(errs, fmt.Errorf("path %q has more than one of source, data, link and dir", f.Path))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("image %q: %w", img.Reference, err)
	}
	return nil
}

// contents counts the kinds of content that are set.
func (f File) contents() int {
	n := 0
	for _, set := range []bool{f.Source != "", f.Data != nil, f.Link != "", f.Dir} {
		if set {
			n++
		}
	}
	return n
}

// layerFiles returns the image's files with their parent directories, sorted
// by path, so that a directory comes before what is in it.
func (img Image) layerFiles() []File {
	files := slices.Clone(img.Files)
	seen := make(map[string]bool, len(files))
	for _, f := range files {
		seen[f.Path] = true
	}
	for _, f := range img.Files {
		for dir := path.Dir(f.Path); dir != "/"; dir = path.Dir(dir) {
			if !seen[dir] {
				seen[dir] = true
				files = append(files, File{Path: dir, Mode: 0o755, Dir: true})
			}
		}
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return files
}
