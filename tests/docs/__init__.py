"""What people read is true: commands run, examples fit, tables agree with the code, links lead somewhere."""
