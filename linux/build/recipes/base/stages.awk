# Recognises the stages by derivative-maker's trace and live-build's messages. Prints `@@stage NAME`
# before the first line of a stage. When a stage ends, it runs `RECORD NAME`, which keeps the results
# of that stage for the ledger.

BEGIN { current = "sanity" } # the entry has begun this stage

# A word for the shell, whatever is in it.
function quoted(word) {
    gsub(/'/, "'\\''", word)
    return "'" word "'"
}

function enter(name) {
    if (name == current) return
    if (system(quoted(record) " " current " </dev/null") != 0) failed = 1
    current = name
    print "@@stage " name
    fflush()
}

/^\+.*INFO: BEGIN: dist_build_one_build_step_current: / {
    if (/\/1200_/) enter("prepare")
    else if (/\/1300_/) enter("cowbuilder")
    else if (/\/1400_/) enter("local-dependencies")
    else if (/\/2100_/) enter("packages")
    # until 3600 makes the squashfs; the steps between the ISO and the end do nothing
    else if (/\/3200_/ && current == "packages") enter("chroot")
}
/^P: Begin building root filesystem image/ { enter("squashfs") }
/^P: Begin creating manifest/ { enter("iso") }

# mksquashfs names each of some 80,000 files, more than all else in the log. One in a thousand shows that it works.
current == "squashfs" && /^(file|directory|symbolic link|(character|block) device|fifo|socket) \/.* (inode 0x[0-9a-f]+|bytes)( DUPLICATE)? *$/ {
    if (packed++ % 1000) next
}

{ print; fflush() }

END { exit failed }
