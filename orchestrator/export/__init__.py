"""From the record to files that trainers take: canonical tables, of which every vendor's file is a view."""
