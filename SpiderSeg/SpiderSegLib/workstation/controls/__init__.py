"""What the page's buttons do and what they show, one module for each part of it; each is a `bench.Controls`."""
