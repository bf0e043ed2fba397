# Runs a command in a mount namespace of its own whose /dev has the plainest devices and no shm: as on AWS Lambda
# and Android, POSIX semaphores and shared memory cannot be made there. Usage: bare_dev.sh FOLDER COMMAND …
set -eu
folder=$1
shift
mount -t tmpfs -o size=64k,mode=755 none "$folder"
for device in null zero full random urandom; do
    : > "$folder/$device"
    mount --bind "/dev/$device" "$folder/$device"
done
ln -s /proc/self/fd "$folder/fd"
mount --rbind "$folder" /dev
exec "$@"
