"""What tests run, what they rest on and how they came out, kept in a small file of its own."""
