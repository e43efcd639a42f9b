// xlat-img: makes, looks at and changes disk images, as qemu-img does.
#include "img/commands.h"

int main(int argc, char** argv) { return xlat::img::run({argv + 1, argv + argc}); }
