// Copyright The metrics-apiserver Authors.
// SPDX-License-Identifier: Apache-2.0

// Command workload plays a container whose use of resources is known, so that
// a test can hold what is reported against what was used:
//
//	workload -cpu 50m                       burn 50 millicores, by its own rusage
//	workload -memory 50Mi                   hold 50 MiB of touched anonymous memory
//	workload -serve :8080                   answer HTTP, and take new loads while running
//	workload -fetch URL -fetch-rate 64Ki    read a URL over and over at a byte rate
//	workload -write /data/f -write-rate 1Mi write a file at a byte rate, then overwrite it
//	workload -exit-after 20s -exit-code 1   end by itself, as a crash loop does
//
// The flags may be combined; without any it sleeps until SIGTERM. The HTTP
// server answers GET / with 64 KiB (or ?bytes=N), and takes POST /load with
// ?cpu=200m and ?memory=100Mi, so that one pod can be driven up and down.
package main
