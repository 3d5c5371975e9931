#!/bin/sh
# Closes the connections of all users in a file with several processes, and goes on where it was when it is run again.
#
#   export WebPubSubConnectionString='Endpoint=…;AccessKey=…;Version=1.0;' WebPubSubHub=chat
#   sh spec/examples/close_many.sh users.txt 4
#
# GNU parallel starts the processes; --sshlogin lets it start them on other machines, which need the file, too. Each keeps
# in users.txt.N.state how far it is, so that after a kill the same command does the rest.
set -eu
list=$1
parts=${2:-4}

seq "$parts" | parallel --will-cite --jobs "$parts" --halt never \
    webpubsub close-user-connections --users-from "$list" --shard "{}/$parts" --state "$list.{}.state" \
    --concurrency 64 --timeout 300
