// The wrappers are inline in CLinux.h; SwiftPM wants one source file in a C target.
#include "CLinux.h"
