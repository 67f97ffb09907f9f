#!/bin/sh
# Does what its instruction says, and says so in colours. It ends when it is told to.
words=$(cat)
echo "working on: $words"
printf '\033[32mgreen\033[0m \033[31mred\033[0m \033[1mbold\033[0m <b>not html</b>\n'
case $words in
*fail*) echo 'the oven is cold' && exit 1 ;;
*slow*) sleep 2 && echo 'and the rest' ;;
*long*) trap 'kill $!; echo stopped; exit 130' INT TERM && sleep 600 & wait ;;
esac
echo "<p>$words</p>" >>index.html
echo '.new { color: teal }' >>style.css
