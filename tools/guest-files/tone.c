// tone CARD RATE HZ SECONDS: turns all volumes of an ALSA card up and plays a sine on its first device, by the kernel's
// own interface.
#include <fcntl.h>
#include <math.h>
#include <sound/asound.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { PERIOD = 1024 };

static int fail(const char *what) {
  perror(what);
  return 1;
}

// Switches on, volumes to their top, but for controls that gain there.
static void turn_up(const char *path) {
  int fd = open(path, O_RDWR);
  if (fd < 0) return;
  struct snd_ctl_elem_list list = {0};
  ioctl(fd, SNDRV_CTL_IOCTL_ELEM_LIST, &list);
  struct snd_ctl_elem_id *ids = calloc(list.count, sizeof *ids);
  list.space = list.count;
  list.pids = ids;
  ioctl(fd, SNDRV_CTL_IOCTL_ELEM_LIST, &list);
  for (unsigned n = 0; n < list.used; ++n) {
    const char *name = (const char *)ids[n].name;
    const int wanted = (!strncmp(name, "Master ", 7) || !strncmp(name, "PCM ", 4)) && !strstr(name, "Capture");
    struct snd_ctl_elem_info info = {.id = ids[n]};
    if (!wanted || ioctl(fd, SNDRV_CTL_IOCTL_ELEM_INFO, &info) < 0) continue;
    struct snd_ctl_elem_value value = {.id = ids[n]};
    // The AK4531's 0 dB and the AC'97's are steps below the top.
    const long top = info.type == SNDRV_CTL_ELEM_TYPE_INTEGER ? info.value.integer.max : 1;
    const int gains = !strncmp(name, "PCM ", 4) && top == 31;
    for (unsigned k = 0; k < info.count; ++k) value.value.integer.value[k] = gains ? top - 8 : top;
    ioctl(fd, SNDRV_CTL_IOCTL_ELEM_WRITE, &value);
  }
  close(fd);
}

static struct snd_interval *interval(struct snd_pcm_hw_params *p, int which) {
  return &p->intervals[which - SNDRV_PCM_HW_PARAM_FIRST_INTERVAL];
}

static void exactly(struct snd_pcm_hw_params *p, int which, unsigned value) {
  struct snd_interval *i = interval(p, which);
  i->min = i->max = value;
  i->integer = 1;
}

static int configure(int fd, unsigned access, unsigned rate) {
  struct snd_pcm_hw_params hw = {0};
  for (int n = 0; n <= SNDRV_PCM_HW_PARAM_LAST_MASK; ++n) memset(&hw.masks[n], 0xff, sizeof hw.masks[n]);
  for (int n = SNDRV_PCM_HW_PARAM_FIRST_INTERVAL; n <= SNDRV_PCM_HW_PARAM_LAST_INTERVAL; ++n) {
    interval(&hw, n)->max = ~0u;
  }
  hw.rmask = ~0u;
  memset(&hw.masks[SNDRV_PCM_HW_PARAM_ACCESS], 0, sizeof hw.masks[0]);
  hw.masks[SNDRV_PCM_HW_PARAM_ACCESS].bits[0] = 1u << access;
  memset(&hw.masks[SNDRV_PCM_HW_PARAM_FORMAT], 0, sizeof hw.masks[0]);
  hw.masks[SNDRV_PCM_HW_PARAM_FORMAT].bits[0] = 1u << SNDRV_PCM_FORMAT_S16_LE;
  exactly(&hw, SNDRV_PCM_HW_PARAM_CHANNELS, 2);
  exactly(&hw, SNDRV_PCM_HW_PARAM_RATE, rate);
  exactly(&hw, SNDRV_PCM_HW_PARAM_PERIOD_SIZE, PERIOD);
  exactly(&hw, SNDRV_PCM_HW_PARAM_PERIODS, 8);
  return ioctl(fd, SNDRV_PCM_IOCTL_HW_PARAMS, &hw);
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  char path[64];
  const unsigned rate = (unsigned)atoi(argv[2]);
  const double hz = atof(argv[3]);
  snprintf(path, sizeof path, "/dev/snd/controlC%s", argv[1]);
  turn_up(path);
  snprintf(path, sizeof path, "/dev/snd/pcmC%sD0p", argv[1]);
  int fd = open(path, O_WRONLY);
  if (fd < 0) return fail(path);

  // The Ultrasound has a voice for each side, and so takes them apart.
  const int apart = configure(fd, SNDRV_PCM_ACCESS_RW_INTERLEAVED, rate) < 0;
  if (apart && configure(fd, SNDRV_PCM_ACCESS_RW_NONINTERLEAVED, rate) < 0) return fail("hw_params");
  if (ioctl(fd, SNDRV_PCM_IOCTL_PREPARE) < 0) return fail("prepare");

  // Silence follows up to the end of a period and for one more, as drivers stop at the ends of periods.
  const unsigned tone = rate * (unsigned)atoi(argv[4]), step = apart ? 1 : 2;
  const unsigned frames = (tone / PERIOD + 2) * PERIOD;
  short *samples = calloc(frames, 4);
  for (unsigned n = 0; n < tone; ++n) {
    const short value = (short)lrint(8000 * sin(2 * M_PI * hz * n / rate));
    samples[step * n] = value;
    if (!apart) samples[step * n + 1] = value;
  }
  for (unsigned done = 0; done < frames;) {
    short *next = samples + step * done;
    void *sides[2] = {next, next};
    struct snd_xferi together = {.buf = next, .frames = frames - done};
    struct snd_xfern split = {.bufs = sides, .frames = frames - done};
    if (apart ? ioctl(fd, SNDRV_PCM_IOCTL_WRITEN_FRAMES, &split) < 0
              : ioctl(fd, SNDRV_PCM_IOCTL_WRITEI_FRAMES, &together) < 0) {
      return fail("write");
    }
    done += (unsigned)(apart ? split.result : together.result);
  }
  if (ioctl(fd, SNDRV_PCM_IOCTL_DRAIN) < 0) return fail("drain");
  printf("guest: card %s has played\n", argv[1]);
  return 0;
}
