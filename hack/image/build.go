// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

package image

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/metrics-apiserver/metrics-apiserver/hack/toolchain"
)

// DevelopmentVersion is the version of what is built without another one.
const DevelopmentVersion = "v0.0.0-dev"

// Builder builds static programs of the checkout that the working directory is
// in and puts them into images. It keeps nothing: Go's own build cache makes
// the second build quick. The zero value is usable.
type Builder struct {
	// Version is stamped into the product's binary and its image's label. ""
	// means [DevelopmentVersion].
	Version string
	// Progress gets lines about builds that take long. nil discards them.
	Progress io.Writer
}

func (b Builder) version() string {
	if b.Version == "" {
		return DevelopmentVersion
	}
	return b.Version
}

// WriteProduct builds the product and writes its image, named reference, to
// the file out.
func (b Builder) WriteProduct(ctx context.Context, reference, out string) error {
	return b.write(ctx, out, []program{
		{pkg: "cmd/metrics-apiserver", image: func(binary string) Image {
			return Product(reference, binary, b.version())
		}},
	})
}

// WriteTestImages builds the sandbox's and the test workload's images and
// writes them to the file out.
func (b Builder) WriteTestImages(ctx context.Context, out string) error {
	return b.write(ctx, out, []program{
		{pkg: "hack/images/pause", image: Pause},
		{pkg: "hack/images/workload", image: Workload},
	})
}

// program is a main package and the image of its binary.
type program struct {
	pkg   string
	image func(binary string) Image
}

// write builds the programs and writes their images to out, which is replaced
// only by a whole archive.
func (b Builder) write(ctx context.Context, out string, programs []program) error {
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return fmt.Errorf("make the directory of %s: %w", out, err)
	}
	dir, err := os.MkdirTemp(filepath.Dir(out), ".image-")
	if err != nil {
		return fmt.Errorf("make a directory to build in: %w", err)
	}
	defer os.RemoveAll(dir)
	var images []Image
	for _, p := range programs {
		binary := filepath.Join(dir, filepath.Base(p.pkg))
		if err := b.build(ctx, p.pkg, binary); err != nil {
			return err
		}
		images = append(images, p.image(binary))
	}
	partial := filepath.Join(dir, "archive.tar")
	if err := WriteFile(partial, images...); err != nil {
		return err
	}
	if err := os.Rename(partial, out); err != nil {
		return fmt.Errorf("put the archive in its place: %w", err)
	}
	return nil
}

// build builds one main package of the checkout as a static binary. The image
// is for Linux, so only there can it be built: cross-compiling would be of no
// use to a cluster on this machine.
func (b Builder) build(ctx context.Context, pkg, out string) error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("build %s for an image: this system is %s, not linux; use the Dockerfile", pkg, runtime.GOOS)
	}
	progress := b.Progress
	if progress == nil {
		progress = io.Discard
	}
	return toolchain.BuildPackage(ctx, progress, "./"+pkg, out,
		"-buildvcs=false", "-ldflags=-s -w -X k8s.io/component-base/version.gitVersion="+b.version())
}

// WriteFile writes as [Write] does, to a file, which is replaced where it
// exists. On an error what is in it is of no use.
func WriteFile(name string, images ...Image) error {
	f, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("create the archive: %w", err)
	}
	if err := Write(f, images...); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("close the archive: %w", err)
	}
	return nil
}
