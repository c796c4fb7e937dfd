"""Reads the ONNX files that the exporter writes, and refuses others, without the package onnx."""
