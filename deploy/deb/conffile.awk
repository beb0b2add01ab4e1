# The configuration file of the package, made of the example: the same keys with the same comments,
# but where the example shows something of use, nothing is configured and the example is a comment.
/^# A key described by/ { print "# Every value here is the default one; a comment behind an empty list shows what it may"; next }
/^# say "Example"/ { print "# hold. Check this file with: vethscope check-config FILE"; next }
/^ *# Example; default: / { emptied = 1; print; next }
emptied == 1 && /^ *[a-z_]+:$/ { match($0, /^ */); indent = RLENGTH; print $0 " []"; emptied = 2; next }
emptied == 2 {
    match($0, /^ */)
    if (length($0) > 0 && RLENGTH > indent) {
        print substr($0, 1, indent) "#" substr($0, indent + 1)
        next
    }
    emptied = 0
}
{ print }
