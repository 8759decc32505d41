"""What `mmrl bench` measures: a table of cases, one file a family, each case in a process of its own."""
