# cmake -DINPUT=file -DOUTPUT=header -DNAME=identifier -P embed.cmake: a header with the file's bytes as an array.
file(READ "${INPUT}" bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "((0x[0-9a-f][0-9a-f],){20})" "\\1\n" bytes "${bytes}")
file(WRITE "${OUTPUT}" "// Generated from ${NAME}; do not edit.\n#pragma once\n\ninline constexpr unsigned char ${NAME}[] = {\n${bytes}};\n")
